"""`mssql-reverse-etl preview`: rows, and the calls that they become; nothing is sent."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from tests.front_door.projects import PROGRAM
from tests.front_door.shop_projects import (
    DAILY,
    EVENTS,
    OFF,
    TERMINAL,
    USERS,
    files_in,
    run_in,
    target_of,
    write_project,
)
from tests.front_door.snapshots import assert_screen

ODD = {
    "name": "odd",
    "type": "track",
    "query": "SELECT id AS userId, CASE WHEN id = 2 THEN NULL ELSE 'Seen' END AS event, "
    "CASE WHEN id = 3 THEN '2026-01-01' END AS _sdc_deleted_at, CAST(NULL AS int) AS score "
    "FROM users WHERE id < 5",
}
WIDE = {
    "name": "wide",
    "type": "identify",
    "query": "SELECT id AS userId, email_address AS email, fname, lname, msisdn AS phone, "
    "'a text that does not fit beside all the other columns' AS note, "
    "CAST(12.50 AS decimal(9, 2)) AS price FROM users WHERE id < 3",
}
SECRET_TEXT = "canary-value"
LEAKY = {
    "name": "leaky",
    "type": "track",
    "query": f"SELECT '{SECRET_TEXT}' AS userId, NULL AS event UNION ALL "
    f"SELECT '{SECRET_TEXT}', 'Seen'",
}


@pytest.mark.parametrize(("name", "sync"), [("odd", ODD), ("wide", WIDE)])
def test_screen(tmp_path, shop, name, sync):
    """A table if it fits into 80 columns, else row by row; then the calls, and what has none."""
    write_project(tmp_path, shop, [sync])

    done = run_in(tmp_path, "preview", name, **TERMINAL)

    assert done.returncode == 0, done.stderr
    # The ids of facts are new in each run.
    text = re.sub(r'"messageId": "[0-9a-f]{32}"', '"messageId": "…"', done.stdout)
    assert_screen(f"preview-{name}", text)


def test_bytes_are_those_of_a_run(tmp_path, shop):
    """One call per line, in the order of the rows; the ids of events are those of the run."""
    write_project(tmp_path, shop, [EVENTS])

    done = run_in(tmp_path, "preview", "events", "--limit", "5")
    assert shop.collector.requests == []
    run_in(tmp_path, "run")

    lines = done.stdout.splitlines()
    sent = {call.raw.decode() for call in shop.collector.calls}
    assert len(lines) == 5
    assert set(lines) <= sent


def test_json_prints_the_calls_alone_on_a_terminal_too(tmp_path, shop):
    """Without colours and without the rows."""
    write_project(tmp_path, shop, [USERS])

    done = run_in(tmp_path, "preview", "users", "--json", **TERMINAL)

    assert [json.loads(line)["userId"] for line in done.stdout.splitlines()] == [
        str(number) for number in range(1, 11)
    ]


def test_destinations_stand_beside_their_calls(tmp_path, shop):
    """As the target's --dry-run prints them."""
    target = target_of(shop)
    target["destinations"] = [
        {"destination": target.pop("destination")},
        {"destination": "segment"},
    ]
    write_project(tmp_path, shop, [USERS], target)

    done = run_in(tmp_path, "preview", "users", "--limit", "2")

    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["destination"] for each in found] == ["customerio", "segment"] * 2
    assert found[0]["call"] == found[1]["call"]


def test_disabled_syncs_and_those_that_are_not_due_are_shown(tmp_path, shop):
    """Whatever their schedule is."""
    write_project(tmp_path, shop, [OFF, DAILY])
    run_in(tmp_path, "run")

    shown = [run_in(tmp_path, "preview", name) for name in ("off", "daily")]

    assert [done.returncode for done in shown] == [0, 0]
    assert all(json.loads(done.stdout)["userId"] == "1" for done in shown)


def test_rows_are_those_since_the_bookmark(tmp_path, shop):
    """After a run there may be none; --resync shows the first. Nothing on disk moves."""
    write_project(tmp_path, shop, [USERS], target_of(shop, report_path="report.json"))
    run_in(tmp_path, "run")
    before = files_in(tmp_path)

    none = run_in(tmp_path, "preview", "users", **TERMINAL)
    first = run_in(tmp_path, "preview", "users", "--resync", "--limit", "1")

    assert (none.returncode, first.returncode) == (0, 0)
    assert "0 rows since 20" in none.stdout
    assert "preview users --resync" in none.stdout.replace("\n", " ")
    assert json.loads(first.stdout)["userId"] == "1"
    assert files_in(tmp_path) == before


def test_values_are_on_stdout_only(tmp_path, shop):
    """The log says which rows have no call, and why."""
    write_project(tmp_path, shop, [LEAKY])

    done = run_in(tmp_path, "preview", "leaky")

    assert SECRET_TEXT in done.stdout
    assert SECRET_TEXT not in done.stderr
    assert "row=1" in done.stderr
    assert "`event`" in done.stderr


def test_unsent_columns_have_a_reason(tmp_path, shop):
    """Columns of the extraction are no traits."""
    sync = {
        "name": "meta",
        "type": "identify",
        "query": "SELECT 1 AS userId, 'x' AS _sdc_batched_at",
    }
    write_project(tmp_path, shop, [sync])

    done = run_in(tmp_path, "preview", "meta", **TERMINAL)

    assert "Column `_sdc_batched_at` is not sent" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["user"], 2, "did you mean users?"),
        (["nothing_like_it"], 2, "Known are users, bad, unknown"),
        (["users", "--limit", "0"], 2, "0 is not in the range"),
        (["bad"], 3, "Invalid column name"),
        (["unknown"], 2, "unheard_of"),
    ],
)
@pytest.mark.parametrize("terminal", [{}, TERMINAL], ids=["pipe", "terminal"])
def test_what_cannot_be_shown_says_why(tmp_path, shop, arguments, code, message, terminal):
    """With the exit code of a run, and nothing on stdout."""
    bad = {"name": "bad", "type": "identify", "query": "SELECT nothing FROM users"}
    unknown = {"name": "unknown", "type": "unheard_of", "query": "SELECT 1 AS userId"}
    write_project(tmp_path, shop, [USERS, bad, unknown])

    done = run_in(tmp_path, "preview", *arguments, **terminal)

    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr


def test_server_that_is_down_is_3(tmp_path, shop):
    """The message says what to look at."""
    write_project(tmp_path, shop, [USERS])
    path = tmp_path / "reverse_etl.yml"
    path.write_text(path.read_text().replace(f'"port": {shop.server.port}', '"port": 1'))

    done = run_in(tmp_path, "preview", "users")

    assert done.returncode == 3
    assert "Cannot connect to" in done.stderr


def test_variable_that_is_not_set_is_named(tmp_path, shop):
    """As for every command of a project."""
    write_project(tmp_path, shop, [USERS])
    path = tmp_path / "reverse_etl.yml"
    path.write_text(path.read_text().replace('"reader"', '"${NOT_SET_HERE}"'))

    done = run_in(tmp_path, "preview", "users")

    assert done.returncode == 2
    assert "NOT_SET_HERE" in done.stderr


def test_closed_pipe_is_silent(tmp_path, shop):
    """`preview … | head -1`."""
    write_project(tmp_path, shop, [USERS])

    done = subprocess.run(
        ["sh", "-c", f"'{PROGRAM}' preview users --limit 1000 | head -1"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert json.loads(done.stdout)["userId"] == "1"
    assert "Traceback" not in done.stderr
    assert "Broken" not in done.stderr
