"""`mssql-reverse-etl check`: both halves, and nothing is sent."""

from __future__ import annotations

import json
import socket

import pytest

from program_kit.console import print_findings
from program_kit.findings import CheckResult, Finding, Level
from tests.front_door.projects import SECRETS, change, run_command
from tests.front_door.snapshots import assert_screen


@pytest.fixture
def folder(tmp_path, shop):
    """A starter project that works on the sandbox."""
    assert run_command(tmp_path, "init").returncode == 0
    shop.use(tmp_path)
    shop.collector.forget()
    return tmp_path


def _check(folder, *arguments):
    done = run_command(folder, "check", *arguments, **SECRETS)
    return done.returncode, done.stdout, done.stdout.splitlines()[-1] if done.stdout else ""


def test_starter_has_no_findings(folder, shop):
    """Both servers are reached; the key, which no API can be asked about, is said to be untried."""
    code, text, last = _check(folder)

    assert (code, last) == (0, "1 sync, 0 errors, 0 warnings")
    assert "The write key was not tried" in text
    assert "Columns: userId int" in text
    assert shop.collector.requests == []
    assert not (folder / ".reverse_etl/state.json").exists()


def test_fresh_clone_has_no_findings_either(folder):
    """Git ignores the folder of the state, which is made."""
    (folder / ".reverse_etl/schema.json").unlink()
    (folder / ".reverse_etl").rmdir()

    assert _check(folder)[0] == 0


def test_calls_are_judged_by_what_the_destination_needs(folder):
    """An identify without an id is right for Customer.io; Segment would drop it."""
    query = folder / "queries/users.sql"
    query.write_text(query.read_text().replace("id AS userId,", ""))
    assert _check(folder)[0] == 0

    change(folder, "destination: customerio", "destination: segment")
    code, text, last = _check(folder, "users")

    assert (code, last) == (2, "1 sync, 1 error, 0 warnings")
    assert "Destination segment requires `userId` or `anonymousId`" in text


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ("127.0.0.1:{api}", "nowhere.invalid", 2, "The name nowhere.invalid has no address"),
        ("http://127.0.0.1:{api}", "https://127.0.0.1:{api}", 2, "does not speak TLS"),
        ("127.0.0.1:{api}", "127.0.0.1:{closed}", 4, "cannot be reached: Connection refused"),
        ("port: {sql}", "port: {closed}", 3, "nothing listens on this port"),
    ],
)
def test_servers_that_cannot_be_reached(folder, shop, old, new, code, message):
    """The exit code says which half must be looked at."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        ports = {
            "api": shop.collector.url.rpartition(":")[2].partition("/")[0],
            "sql": shop.server.port,
            "closed": closed.getsockname()[1],
        }
        change(folder, old.format(**ports), new.format(**ports))

        found, text, last = _check(folder)

    assert found == code
    assert message in text
    assert last == "1 sync, 1 error, 0 warnings"


def test_bookmark_without_a_sync_is_named(folder):
    """It may be that of a sync that was renamed."""
    path = folder / ".reverse_etl/state.json"
    path.write_text(json.dumps({"bookmarks": {"people": {"last_sync_time": 5}}}))

    code, text, _ = _check(folder)

    assert code == 0
    assert "a bookmark of people" in text


def test_folder_that_is_missing_is_an_error(folder):
    """The first dead letter would stop a run."""
    change(folder, "  endpoint:", "  dead_letter_path: nowhere/dead.jsonl\n  endpoint:")

    code, text, _ = _check(folder)

    assert code == 2
    assert "`dead_letter_path`: its folder" in text


def test_unknown_name_has_the_nearest_one(folder):
    """As everywhere."""
    done = run_command(folder, "check", "user", **SECRETS)

    assert done.returncode == 2
    assert "did you mean users?" in done.stderr


def test_screen(capsys, monkeypatch):
    """A table of 80 columns, whose findings are wrapped between words."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    warning = "The query has no {{last_sync_time}} or {{last_sync_datetime}}: every run sends all."
    error = "SQL Server error 208: Invalid object name 'nowhere'. Check the name and its schema."
    print_findings(
        [
            CheckResult("database", [Finding(Level.OK, "db.example.com:1433 is reachable.")]),
            CheckResult("sync users", [Finding(Level.OK, "Ids: userId.")]),
            CheckResult(
                "sync broken", [Finding(Level.WARNING, warning), Finding(Level.ERROR, error)]
            ),
        ]
    )

    assert_screen("check", capsys.readouterr().out)


def test_screen_of_init(tmp_path):
    """What was written, and the next step."""
    done = run_command(tmp_path, "init", "shop")

    assert_screen("init", done.stdout)
