"""The history of a project: what each run leaves in it, however the run ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mssql_reverse_etl.history.run_record import KILLED, RunRecord
from mssql_reverse_etl.history.tables import TABLES
from mssql_reverse_etl.results.outcomes import SyncOutcome, SyncResult
from tests.front_door.projects import PROGRAM, SECRETS, change, run_command

POISON = {"status": 400, "contains": "user1@", "times": None}
NOW = datetime(2026, 11, 27, 19, 27, 20, 123_000, UTC)


@pytest.fixture
def folder(tmp_path, shop):
    """A starter project that works on the sandbox."""
    assert run_command(tmp_path, "init").returncode == 0
    shop.use(tmp_path)
    shop.collector.script([])
    shop.collector.forget()
    return tmp_path


def _path(folder):
    return folder / ".reverse_etl/history.db"


def _rows(folder, table):
    with closing(sqlite3.connect(_path(folder))) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]


def _run(folder, *arguments, **variables):
    return run_command(folder, "run", *arguments, **{**SECRETS, **variables})


def test_run_is_written_with_its_syncs(folder):
    """A row of the run, and one of each sync with the counts of both programs; times in UTC."""
    assert _run(folder).returncode == 0

    (run,) = _rows(folder, "runs")
    assert (run["run_id"], run["exit_code"], run["trigger"], run["message"]) == (
        1, 0, "command", ""
    )  # fmt: skip
    assert run["started_at"] < run["ended_at"]
    assert run["ended_at"].endswith("Z")
    assert len(run["ended_at"]) == len("2026-11-27T19:27:20.123Z")
    (sync,) = _rows(folder, "sync_runs")
    state = json.loads((folder / ".reverse_etl/state.json").read_text())
    bookmark = state["bookmarks"]["users"]["last_sync_time"]
    assert sync["sync_time"] == f"{datetime.fromtimestamp(bookmark, UTC):%Y-%m-%dT%H:%M:%S.000Z}"
    assert sync["last_sync_time"] == "1970-01-01T00:00:00.000Z"
    assert (sync["sync"], sync["call_type"], sync["outcome"]) == ("users", "identify", "delivered")
    assert sync["rows_read"] == sync["delivered"] > 0
    assert sync["requests"] > 0
    assert sync["bytes_sent"] > sync["rows_read"]
    assert sync["added"] is sync["changed"] is sync["removed"] is None


def test_history_is_private_and_has_the_columns_of_the_contract(folder):
    """Only its owner may read it; `user_version` is 1."""
    _run(folder)

    assert stat.S_IMODE(_path(folder).stat().st_mode) == 0o600
    assert stat.S_IMODE(_path(folder).parent.stat().st_mode) == 0o700
    with closing(sqlite3.connect(_path(folder))) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        for table, columns in TABLES.items():
            found = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            assert tuple(found) == tuple(columns)


def test_outcomes_without_rows(folder):
    """A sync that is not due, and one that was due and had no new rows."""
    _run(folder)
    _run(folder)
    change(folder, "    frequency: 5m\n", "")
    query = folder / "queries/users.sql"
    query.write_text("SELECT TOP 0 id AS userId FROM users WHERE 1 > {{last_sync_time}}")
    _run(folder)

    outcomes = [row["outcome"] for row in _rows(folder, "sync_runs")]
    assert outcomes == ["delivered", "not_due", "nothing_new"]


def test_rejections_have_reason_status_and_calls(folder, shop):
    """Each reason of a sync and destination is one row."""
    shop.collector.script([{"status": 422, "contains": '"userId":"1"', "times": None}])

    assert _run(folder).returncode == 0

    (rejection,) = _rows(folder, "rejections")
    assert rejection["reason"].startswith("The destination rejected the call: ")
    assert rejection | {"reason": ""} == {
        "run_id": 1, "sync": "users", "destination": "customerio", "reason": "", "status": 422,
        "calls": 1,
    }  # fmt: skip
    (sync,) = _rows(folder, "sync_runs")
    assert (sync["rejected"], sync["outcome"]) == (1, "delivered")


@pytest.mark.parametrize(
    ("old", "new", "code", "said"),
    [
        ("destination: customerio", "destination: nowhere", 2, "no plugin provides"),
        ("port: {sql}", "port: 1", 3, "nothing listens on this port"),
        ("FROM users", "FROM nowhere", 3, "nowhere"),
        ("8090", "8090", 4, ""),
    ],
    ids=["an invalid project", "no database", "a failing query", "a wrong key"],
)
def test_failed_run_says_why(folder, shop, old, new, code, said):
    """With the exit code and the message, in the run and in the sync if it was known."""
    variables = {}
    if code == 4:
        variables = {"CUSTOMERIO_WRITE_KEY": "wrong"}
    elif "FROM" in old:
        query = folder / "queries/users.sql"
        query.write_text(query.read_text().replace(old, new))
    else:
        change(folder, old.format(sql=shop.server.port), new)

    assert _run(folder, **variables).returncode == code

    (run,) = _rows(folder, "runs")
    assert run["exit_code"] == code
    assert run["ended_at"]
    assert said in run["message"]
    assert run["message"]
    syncs = _rows(folder, "sync_runs")
    assert [sync["outcome"] for sync in syncs] == ([] if code == 2 else ["failed"])
    assert all(sync["message"] for sync in syncs)
    assert "wrong" not in run["message"].split()


def test_run_that_finds_the_state_in_use_is_written(folder):
    """With exit code 75; its syncs are locked."""
    import fcntl

    with (folder / ".reverse_etl/state.json.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert _run(folder).returncode == 75

    (run,) = _rows(folder, "runs")
    assert (run["exit_code"], bool(run["message"])) == (75, True)
    assert [sync["outcome"] for sync in _rows(folder, "sync_runs")] == ["locked"]


def _start(folder):
    return subprocess.Popen(
        [str(PROGRAM), "run"],
        cwd=folder,
        env={**os.environ, **SECRETS},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_interrupted_run_is_written(folder, shop, number):
    """The signal is in the message, of the sync as well."""
    shop.collector.script([{"status": 503, "headers": {"Retry-After": "300"}, "times": None}])
    process = _start(folder)
    shop.collector.wait_for_requests(1, 60.0)

    process.send_signal(number)
    process.communicate(timeout=60)

    (run,) = _rows(folder, "runs")
    assert run["exit_code"] == process.returncode == 128 + number
    assert signal.Signals(number).name in run["message"]
    (sync,) = _rows(folder, "sync_runs")
    assert sync["outcome"] == "interrupted"
    assert sync["message"]


def test_run_that_was_killed_is_closed_by_the_next_one(folder, shop):
    """It could not write its end, which stays empty."""
    shop.collector.script([{"status": 503, "headers": {"Retry-After": "300"}, "times": None}])
    process = _start(folder)
    shop.collector.wait_for_requests(1, 60.0)
    process.kill()
    process.communicate(timeout=60)
    assert _rows(folder, "runs")[0]["message"] == ""
    shop.collector.script([])

    assert _run(folder).returncode == 0

    killed, after = _rows(folder, "runs")
    assert (killed["ended_at"], killed["exit_code"], killed["message"]) == (None, None, KILLED)
    assert (after["exit_code"], after["message"]) == (0, "")


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"not a database " * 100),
        lambda path: sqlite3.connect(path).execute("DROP TABLE sync_runs").connection.close(),
    ],
    ids=["no database", "a table is missing"],
)
def test_damaged_history_is_put_aside(folder, damage):
    """The run says so, and goes on with a new one."""
    assert _run(folder).returncode == 0
    damage(_path(folder))

    done = _run(folder, "--resync", "users")

    assert done.returncode == 0
    assert "is damaged" in done.stderr
    assert len(list(folder.glob(".reverse_etl/history.db.damaged-*Z"))) == 1
    assert [run["exit_code"] for run in _rows(folder, "runs")] == [0]
    assert len(_rows(folder, "sync_runs")) == 1


def test_history_of_a_newer_version_is_left_alone(folder):
    """The run warns, and writes nothing to it."""
    _run(folder)
    with closing(sqlite3.connect(_path(folder))) as connection:
        connection.execute("PRAGMA user_version = 2")
    before = _path(folder).read_bytes()

    done = _run(folder, "--resync", "users")

    assert done.returncode == 0
    assert "newer version" in done.stderr
    assert _path(folder).read_bytes() == before


def test_history_that_cannot_be_written_is_a_warning(folder):
    """The exit code of the run does not change."""
    _path(folder).mkdir()

    done = _run(folder)

    assert done.returncode == 0
    assert done.stderr.count("The history") == 1
    assert "cannot be written" in done.stderr


@pytest.mark.parametrize(
    ("action", "code", "said"),
    [
        ("1 / 0", 1, "ZeroDivisionError: this is a bug; its traceback is in the log."),
        ("os.kill(os.getpid(), 15)", 143, "Interrupted by SIGTERM before anything was read."),
    ],
)
def test_end_before_the_programs_start_is_written(folder, action, code, said):
    """A bug of the command, or a signal; the syncs have the same reason."""
    source = (
        "import os\nfrom pathlib import Path\n"
        "from mssql_reverse_etl.history.recording import recording\n"
        "with recording(Path('reverse_etl.yml'), trigger='command') as record:\n"
        f"    record.name_syncs({{'users': 'identify'}})\n    {action}\n"
    )
    subprocess.run([sys.executable, "-c", source], cwd=folder, capture_output=True, check=False)

    (run,) = _rows(folder, "runs")
    assert (run["exit_code"], run["message"]) == (code, said)
    (sync,) = _rows(folder, "sync_runs")
    assert sync["outcome"] == ("failed" if code == 1 else "interrupted")
    assert sync["message"] == said


def test_singer_files_have_no_history(folder, shop):
    """Without a project there is no folder for one."""
    done = run_command(folder, "run", "--tap", "a", "--target", "b", "--state", "c")

    assert done.returncode == 2
    assert not _path(folder).exists()


def _record(path, now, outcomes, keep_days=90):
    record = RunRecord(path, now=lambda: now)
    record.begin()
    record.name_syncs(dict.fromkeys(outcomes, "identify"))
    for name, outcome in outcomes.items():
        record.set_result(name, SyncResult(outcome))
    record.keep_days = keep_days
    record.end(0)


def test_old_runs_are_removed(tmp_path):
    """After `keep_days`; what was not due after one day."""
    path = _path(tmp_path)
    outcomes = {"a": SyncOutcome.DELIVERED, "b": SyncOutcome.NOT_DUE}
    for days in (91, 89, 2, 0.5):
        _record(path, NOW - timedelta(days=days), outcomes)

    _record(path, NOW, {})

    assert [run["run_id"] for run in _rows(tmp_path, "runs")] == [2, 3, 4, 5]
    kept = [(row["run_id"], row["sync"]) for row in _rows(tmp_path, "sync_runs")]
    assert kept == [(2, "a"), (3, "a"), (4, "a"), (4, "b")]


def test_rare_reasons_are_summed_up(tmp_path):
    """At most 50 of a sync and destination, the most frequent ones, and one row for the others."""
    rejections = [
        {"reason": f"reason {n}", "status": None, "kind": "query", "calls": 100 - n}
        for n in range(53)
    ]
    entry = {"call_type": "track", "rejections": rejections, "seconds": 1.0}
    record = RunRecord(_path(tmp_path), now=lambda: NOW)
    record.name_syncs({"users": "identify"})
    record.add({}, {"destination": "d", "streams": {"users": entry}})

    record.end(0)

    rows = _rows(tmp_path, "rejections")
    assert len(rows) == 51
    assert rows[0]["reason"] == "reason 0"
    assert (rows[-1]["reason"], rows[-1]["calls"]) == ("other reasons", 50 + 49 + 48)
    assert {row["destination"] for row in rows} == {"d"}


def test_runs_on_a_cluster_are_recorded(folder):
    """With their own trigger."""
    assert _run(folder, "--dask", "--workers", "1").returncode == 0

    (run,) = _rows(folder, "runs")
    assert (run["trigger"], run["exit_code"]) == ("cluster", 0)
    (sync,) = _rows(folder, "sync_runs")
    assert (sync["outcome"], sync["rows_read"]) == ("delivered", sync["delivered"])
    assert sync["requests"] > 0


@pytest.mark.parametrize("program", ["tap_mssql_query", "target_pipelines"])
def test_killed_program_is_written(folder, shop, program):
    """The run ends as failed or interrupted, and names the program."""
    shop.collector.script([{"delay_seconds": 1.0, "times": None}])
    process = _start(folder)
    _kill_child(process.pid, program)

    process.communicate(timeout=60)

    (run,), (sync,) = _rows(folder, "runs"), _rows(folder, "sync_runs")
    assert run["exit_code"] == process.returncode != 0
    assert run["ended_at"]
    assert sync["outcome"] in {"failed", "interrupted"}
    assert {"tap_mssql_query": "tap", "target_pipelines": "target"}[program] in sync["message"]


def _kill_child(parent: int, program: str) -> None:
    """Kill a program of a run as soon as it has started."""
    for _ in range(1000):
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                state = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(state[1]) == parent and program in (folder / "cmdline").read_text():
                    os.kill(int(folder.name), signal.SIGKILL)
                    return
        threading.Event().wait(0.02)
    raise TimeoutError


def test_rejections_of_several_destinations_are_told_apart(folder, shop):
    """Each has its name, and the counts of a sync are those of all."""
    shop.collector.script([{"status": 422, "contains": '"userId":"1"', "times": None}])
    text = (folder / "reverse_etl.yml").read_text()
    i, j = text.index("target:"), text.index("# One query per sync.")
    one = f"endpoint: {shop.collector.url}, write_key: '${{CUSTOMERIO_WRITE_KEY}}'"
    both = "".join(
        f"    - {{name: {name}, destination: customerio, {one}}}\n" for name in ("crm", "ads")
    )
    (folder / "reverse_etl.yml").write_text(f"{text[:i]}target:\n  destinations:\n{both}{text[j:]}")

    done = _run(folder)

    assert done.returncode == 0, done.stderr
    rejections = {row["destination"]: row["calls"] for row in _rows(folder, "rejections")}
    (sync,) = _rows(folder, "sync_runs")
    assert rejections == {"crm": 1, "ads": 1}
    assert sync["delivered"] == 2 * (sync["rows_read"] - 1)


def test_calls_that_are_sent_again_are_said(folder, shop):
    """They are no rows of the run, but they are billed: screen, plan and history have them."""
    shop.collector.script([{"status": 400, "contains": '"userId":"7"', "times": None}])
    assert _run(folder).returncode == 0
    shop.collector.script([])
    change(folder, "    frequency: 5m\n", "")

    planned = run_command(folder, "plan", **SECRETS)
    done = _run(folder)

    assert "It would also send 1 rejected call again." in planned.stdout
    assert "1 rejected call sent again, 1 accepted" in done.stdout
    assert _rows(folder, "runs")[1]["message"] == "1 rejected call sent again, 1 accepted."
    assert _rows(folder, "sync_runs")[1]["requests"] > 0


@pytest.mark.parametrize("arguments", [["--resync", "nope"], ["--since", "2", "--until", "1"]])
def test_mistyped_option_is_no_failure_of_a_sync(folder, arguments):
    """The run failed; `status` keeps what it said of the syncs."""
    done = _run(folder, *arguments)

    assert done.returncode == 2
    assert [run["exit_code"] for run in _rows(folder, "runs")] == [2]
    assert _rows(folder, "sync_runs") == []


@pytest.mark.parametrize(
    "change_history",
    [
        "UPDATE runs SET started_at = 'garbage'",
        "UPDATE sync_runs SET rows_read = 'abc'",
        "UPDATE sync_runs SET message = CAST(x'ff80' AS TEXT)",
    ],
)
def test_odd_values_in_the_history_are_no_traceback(folder, change_history):
    """They are shown as they are, or the history is said to be damaged."""
    _run(folder)
    with closing(sqlite3.connect(_path(folder))) as connection:
        connection.execute(change_history)
        connection.commit()

    for command in (["status"], ["runs"], ["runs", "users"]):
        done = run_command(folder, *command)
        assert done.returncode in {0, 2}
        assert "Traceback" not in done.stderr
        assert done.returncode == 0 or "is damaged" in done.stderr
