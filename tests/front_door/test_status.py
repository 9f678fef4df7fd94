"""`mssql-reverse-etl status`: the last run, bookmark and next due time of each sync."""

from __future__ import annotations

import fcntl
import json
import sqlite3
import subprocess
from contextlib import closing
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from mssql_reverse_etl.history.reading import reading_history
from mssql_reverse_etl.history.run_record import RunRecord
from mssql_reverse_etl.history.sync_status import find_statuses
from mssql_reverse_etl.history.tables import SYNC_RUN_COLUMNS
from mssql_reverse_etl.project.syncs import read_syncs
from mssql_reverse_etl.results.outcomes import SyncOutcome, SyncResult
from mssql_reverse_etl.screens.status import status_screen
from tests.front_door.histories import NOW, text_at, write_run
from tests.front_door.projects import PROGRAM, SECRETS, change, run_command
from tests.front_door.snapshots import assert_screen

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
PROJECT = """\
tap: {host: db.example.com, username: reader, password: "${NOT_SET}"}
target: {destination: file}
syncs:
  - {name: users, type: identify, frequency: 5m, query_file: nowhere.sql}
  - {name: accounts, type: group, frequency: 1h, query: SELECT 1 AS groupId}
  - {name: orders, type: track, query: SELECT 1 AS userId}
  - {name: old, type: track, enabled: false, query: SELECT 1 AS userId}
  - {name: later, type: track, start_at: "2026-12-24T18:00:00Z", query: SELECT 1 AS userId}
"""


@pytest.fixture
def folder(tmp_path):
    """A project with a history and a state, and no database."""
    (tmp_path / "reverse_etl.yml").write_text(PROJECT)
    history = tmp_path / ".reverse_etl/history.db"
    failure = SyncResult(SyncOutcome.FAILED, "SQL Server refused the login of reader.")
    syncs = {"users": SyncOutcome.DELIVERED, "accounts": failure}
    write_run(history, syncs, ago=timedelta(minutes=10), rows=12345, code=3)
    not_due = {"users": SyncOutcome.NOT_DUE, "accounts": SyncOutcome.LOCKED}
    write_run(history, not_due, ago=timedelta(minutes=7))
    seconds = int(NOW.timestamp())
    bookmarks = {
        "users": {"last_sync_time": seconds - 600},
        "accounts": {"last_sync_time": seconds - 27 * 60},
    }
    state = tmp_path / ".reverse_etl/state.json"
    state.write_text(json.dumps({"bookmarks": bookmarks}))
    return tmp_path


def _statuses(folder):
    syncs = read_syncs(folder / "reverse_etl.yml")
    state = json.loads((folder / ".reverse_etl/state.json").read_text())
    with reading_history(folder / ".reverse_etl/history.db") as history:
        return list(find_statuses(syncs, state, history.last_run_of, now=int(NOW.timestamp())))


def test_screen(folder):
    """The project's order; runs in which a sync was not due or locked do not count."""
    for name, width in (("status", 80), ("status-wide", 140)):
        parts = status_screen(_statuses(folder), "2026-11-27T19:27:20.123Z", AMSTERDAM, width)
        assert_screen(name, text_at(width, parts))


def test_json_has_the_columns_of_the_history(folder):
    """And the run's times, the bookmark and the next due time."""
    done = run_command(folder, "status", "--json")

    rows = {row["sync"]: row for row in json.loads(done.stdout)}
    assert list(rows) == ["users", "accounts", "orders", "old", "later"]
    assert set(rows["users"]) == {
        *SYNC_RUN_COLUMNS, "started_at", "ended_at", "enabled", "bookmark", "next_due"
    }  # fmt: skip
    assert rows["users"]["started_at"] == "2026-11-27T19:17:20.123Z"
    assert rows["users"]["bookmark"] == {"last_sync_time": int(NOW.timestamp()) - 600}
    assert rows["users"]["next_due"] == "2026-11-27T19:22:20.000Z"
    assert rows["later"]["next_due"] == "2026-12-24T18:00:00.000Z"
    assert [row["outcome"] for row in rows.values()] == [
        "delivered", "failed", "never", "paused", "never"
    ]  # fmt: skip
    assert rows["old"]["enabled"] is False


def test_renamed_sync_has_the_bookmark_of_its_former_name(folder):
    """As the next run will have it."""
    change(folder, "name: users, ", "name: people, renamed_from: users, ")

    people = _statuses(folder)[0]

    assert people.bookmark == {
        "renamed_from": "users",
        "last_sync_time": int(NOW.timestamp()) - 600,
    }
    assert people.outcome == "never"


def test_unfinished_sync_is_due(folder):
    """The next run resumes it, whatever its frequency."""
    state = folder / ".reverse_etl/state.json"
    content = json.loads(state.read_text())
    content["bookmarks"]["accounts"]["unfinished"] = {}
    state.write_text(json.dumps(content))

    accounts = _statuses(folder)[1]

    assert (accounts.is_due, accounts.due_at) == (True, None)


def test_run_in_progress_is_said(folder):
    """With its start, as long as the lock of the state is held; asking does not take it."""
    RunRecord(folder / ".reverse_etl/history.db", now=lambda: NOW).begin()
    assert "in progress" not in run_command(folder, "status").stdout
    with (folder / ".reverse_etl/state.json.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        done = run_command(folder, "status", TZ="Europe/Amsterdam")

    assert done.stdout.startswith("A run is in progress since 2026-11-27 20:27 CET.\n")


def test_project_without_a_run(tmp_path):
    """Says how to start one; no secret is needed."""
    run_command(tmp_path, "init")

    done = run_command(tmp_path, "status")

    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("No run yet. Start one with `mssql-reverse-etl run`.\n")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("frequency: 5m", "frequency: 5x", "reverse_etl.yml:4"),
        ("syncs:", "sync:", "`syncs`"),
        ("enabled: false", "enabled: no", "reverse_etl.yml:7"),
        ("name: users", 'name: "${NOT_SET_EITHER}"', "NOT_SET_EITHER is not set"),
        ("2026-12-24T18:00:00Z", "Christmas", "`start_at`"),
    ],
)
def test_invalid_project_is_refused(folder, old, new, said):
    """With the messages of `check`, and their places."""
    change(folder, old, new)

    done = run_command(folder, "status")

    assert done.returncode == 2
    assert said in done.stderr


def test_missing_project_is_named(tmp_path):
    """And how to make one."""
    done = run_command(tmp_path, "status")

    assert done.returncode == 2
    assert "mssql-reverse-etl init" in done.stderr


def test_damaged_history_is_a_warning(folder):
    """What the state knows is shown; the file stays for the next run to put aside."""
    history = folder / ".reverse_etl/history.db"
    history.write_bytes(b"not a database " * 100)

    done = run_command(folder, "status")

    assert done.returncode == 0
    assert "is damaged" in done.stderr
    assert "every run" in done.stdout
    assert history.exists()


@pytest.mark.parametrize("command", [["status"], ["runs"], ["runs", "--json"]])
def test_history_of_a_newer_version_is_refused(folder, command):
    """This one cannot know what it means."""
    with closing(sqlite3.connect(folder / ".reverse_etl/history.db")) as connection:
        connection.execute("PRAGMA user_version = 2")

    done = run_command(folder, *command)

    assert done.returncode == 2
    assert "newer version" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("command", ["status", "status --json", "runs", "rejected"])
def test_closed_pipe_ends_quietly(folder, command):
    """As with `| head -1`: no traceback."""
    done = subprocess.run(
        ["/bin/bash", "-c", f"set -o pipefail; {PROGRAM} {command} | true"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert "Traceback" not in done.stderr


def test_real_run_is_shown(tmp_path, shop):
    """Of the starter project on the sandbox."""
    run_command(tmp_path, "init")
    shop.use(tmp_path)
    shop.collector.script([])
    assert run_command(tmp_path, "run", **SECRETS).returncode == 0

    (row,) = json.loads(run_command(tmp_path, "status", "--json").stdout)

    assert row["outcome"] == "delivered"
    assert row["rows_read"] == row["delivered"] > 0
    assert row["next_due"] > row["ended_at"]
