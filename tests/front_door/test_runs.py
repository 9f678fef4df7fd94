"""`mssql-reverse-etl runs`: the last runs, or those of one sync."""

from __future__ import annotations

import json
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from mssql_reverse_etl.history.reading import reading_history
from mssql_reverse_etl.history.run_record import KILLED, RunRecord
from mssql_reverse_etl.history.tables import SYNC_RUN_COLUMNS, TABLES
from mssql_reverse_etl.results.outcomes import SyncOutcome, SyncResult
from mssql_reverse_etl.screens.runs import runs_screen, sync_runs_screen
from tests.front_door.histories import NOW, text_at, write_run
from tests.front_door.projects import run_command
from tests.front_door.snapshots import assert_screen

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
FAILURE = SyncResult(SyncOutcome.FAILED, "Invalid object name 'orders'.")


@pytest.fixture
def folder(tmp_path):
    """A project with four runs: one cannot start, one fails, one is killed, one succeeds."""
    assert run_command(tmp_path, "init").returncode == 0
    path = tmp_path / ".reverse_etl/history.db"
    long = "which is so long that it needs two lines of a terminal with 80 columns."
    message = f"reverse_etl.yml:3:1: one problem.\nreverse_etl.yml:4:1: another one, {long}"
    write_run(path, {}, ago=timedelta(days=1), code=2, message=message)
    syncs = {"users": SyncOutcome.DELIVERED, "orders": FAILURE}
    write_run(path, syncs, ago=timedelta(minutes=5), rows=17, code=3)
    RunRecord(path, now=lambda: NOW - timedelta(minutes=1)).begin()
    record = RunRecord(path, now=lambda: NOW)
    record.begin()
    record.close_killed()
    last = {"users": SyncOutcome.NOT_DUE, "orders": SyncOutcome.DELIVERED}
    write_run(path, last, rows=1200)
    return tmp_path


@pytest.fixture
def history(folder):
    """The history of the project; without the run that closed the killed one."""
    import sqlite3
    from contextlib import closing

    path = folder / ".reverse_etl/history.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "DELETE FROM runs WHERE run_id = 4; UPDATE runs SET run_id = 4 WHERE run_id = 5;"
            "UPDATE sync_runs SET run_id = 4 WHERE run_id = 5"
        )
    with reading_history(path) as history:
        yield history


def test_screen_of_all_runs(history):
    """The newest first; below the table, what they say."""
    found = text_at(80, runs_screen(history.runs(30), history.outcomes_of, AMSTERDAM))

    assert_screen("runs", found)


def test_screen_of_one_sync(history):
    """With the counts of each run."""
    found = text_at(80, sync_runs_screen(history.runs_of("orders", 1), AMSTERDAM))

    assert_screen("runs-of-sync", found)


def test_message_of_many_runs_is_said_once(tmp_path):
    """With the newest of them, and how many others have it."""
    path = tmp_path / "history.db"
    for _ in range(5):
        write_run(path, {"orders": FAILURE}, code=3)

    with reading_history(path) as history:
        found = text_at(80, runs_screen(history.runs(30), history.outcomes_of))

    last = "5, 4, 3 and 2 more: orders: Invalid object name 'orders'."
    assert found.splitlines()[-2:] == ["", last]


@pytest.mark.usefixtures("history")
def test_json_of_runs_has_the_columns_of_the_history(folder):
    """One object for each run, the newest first, and no more than asked for."""
    rows = json.loads(run_command(folder, "runs", "--json", "--last", "2").stdout)

    assert [row["run_id"] for row in rows] == [4, 3]
    assert tuple(rows[0]) == tuple(TABLES["runs"])
    assert (rows[1]["ended_at"], rows[1]["message"]) == (None, KILLED)


@pytest.mark.usefixtures("history")
def test_json_of_a_sync_has_the_times_of_the_runs(folder):
    """One object for each run of it."""
    rows = json.loads(run_command(folder, "runs", "orders", "--json").stdout)

    assert [(row["run_id"], row["outcome"]) for row in rows] == [(4, "delivered"), (2, "failed")]
    assert set(rows[0]) == {*SYNC_RUN_COLUMNS, "started_at", "ended_at"}


def test_unknown_sync_is_refused(folder):
    """With the nearest name; one that only the history knows is known."""
    assert run_command(folder, "runs", "orders").returncode == 0

    done = run_command(folder, "runs", "user")

    assert done.returncode == 2
    assert "did you mean users?" in done.stderr


def test_project_without_a_history(tmp_path):
    """Says how to start a run; as JSON there are none."""
    run_command(tmp_path, "init")

    assert json.loads(run_command(tmp_path, "runs", "--json").stdout) == []
    done = run_command(tmp_path, "runs", "users")
    assert done.returncode == 0
    assert done.stdout == "No run yet. Start one with `mssql-reverse-etl run`.\n"
