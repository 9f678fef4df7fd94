from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import subprocess
import threading
from datetime import datetime
from pathlib import Path

import pytest

from mssql_reverse_etl.programs import pipe
from sandbox.sql_server.faults import AnswerError
from sandbox.sql_server.results import SqlError
from sandbox.sql_server.server import SqlServer
from tap_mssql_query.mssql.app_lock import acquire_sync_lock
from tap_mssql_query.mssql.connect import connect
from tap_mssql_query.settings.model import parse_settings
from tests.front_door.conftest import ROWS, TIMEOUT_SECONDS, create_users, open_site, sync
from tests.tap.conftest import TAP
from tests.target.conftest import TARGET


def test_run_delivers_all_rows_and_keeps_the_state(site):
    """As a shell pipe of the two programs does; the reports are where the settings say."""
    site.tap["report_path"] = "tap_report.json"
    site.target["report_path"] = "target_report.json"

    code, log = site.run()

    assert code == 0, log
    assert len(site.calls) == ROWS
    assert list(site.state["bookmarks"]["users"]) == ["last_sync_time", "query_fingerprint"]
    assert stat.S_IMODE(site.state_path.stat().st_mode) == 0o600
    tap = json.loads((site.folder / "tap_report.json").read_text())
    target = json.loads((site.folder / "target_report.json").read_text())
    assert tap["syncs"]["users"]["outcome"] == "read"
    assert target["streams"]["users"]["delivered"] == ROWS
    assert " delivered " in log  # the front door reads them there for its summary


def test_calls_are_those_of_the_programs_in_a_pipe(site):
    """Including their messageIds, which have the start of the run: the clock stands still."""
    noon = datetime(2026, 1, 2, 12)
    with SqlServer(create_users(clock=lambda: noon)) as server:
        site.tap["port"] = server.port
        site.run()
        here = site.calls
        site.collector.forget()

        tap = subprocess.Popen(
            [str(TAP), "--config", "tap.json"],
            cwd=site.folder,
            stdout=-1,
            stderr=subprocess.DEVNULL,
        )
        command = [str(TARGET), "--config", "target.json"]
        subprocess.run(command, cwd=site.folder, stdin=tap.stdout, capture_output=True, check=True)
        tap.wait()
        assert tap.stdout is not None
        tap.stdout.close()

    assert len(here) == ROWS
    assert site.calls == here


def test_summary_joins_both_programs(site):
    """One table: the outcome of each sync, its rows, and the outcome of those."""
    site.tap["syncs"] = [sync(), sync("bad", query="SELECT nothing FROM users")]
    site.collector.script([{"status": 400, "contains": '"userId":"7"', "times": None}])

    code, log = site.run()

    assert code == 3
    rows = [
        line.split() for line in log.splitlines() if line.strip().startswith(("users ", "bad "))
    ]
    assert ["users", "delivered", "1,000", "999", "1"] in [row[:5] for row in rows]
    assert ["bad", "failed", "0"] in [row[:3] for row in rows]
    assert "bad: failed: " in log


def test_next_run_starts_from_the_state(site):
    """A sync that is not due is not read again."""
    site.tap["syncs"] = [sync(frequency="1h")]
    site.run()
    site.collector.forget()

    code, log = site.run()

    assert (code, site.calls) == (0, [])
    assert "not due yet" in log


def test_two_runs_of_one_state_exclude_each_other(site):
    """The second logs it and does nothing."""
    site.collector.script([{"delay_seconds": 3.0, "times": None}])
    first = site.start()
    site.wait_for_requests(1)

    code, log = site.run()

    assert code == 75
    assert "is using the state file" in log
    first.send_signal(signal.SIGTERM)


def _lock(site, name: str):
    settings = parse_settings(site.tap)
    session = connect(settings.syncs[0].database, settings)
    return contextlib.closing(session), acquire_sync_lock(session, name)


@pytest.mark.slow
def test_lock_is_held_until_the_target_is_done(site):
    """No other run may start after the tap has ended while the target still sends."""
    site.collector.script([{"delay_seconds": 1.0, "times": None}])
    process = site.start()
    site.wait_for_requests(5)

    session, is_free = _lock(site, "users")
    with session:
        assert not is_free
    process.wait(timeout=TIMEOUT_SECONDS)
    session, is_free = _lock(site, "users")
    with session:
        assert is_free


def test_sync_of_another_run_is_skipped(site):
    """The other syncs run."""
    site.tap["syncs"] = [sync("a"), sync("b")]
    session, _ = _lock(site, "a")

    with session:
        code, log = site.run()

    assert code == 0
    assert len(site.calls) == ROWS
    assert "skipped: another run of it is in progress" in log
    assert list(site.state["bookmarks"]) == ["b"]


def _outcomes(log: str, *syncs: str) -> dict[str, list[str]]:
    """Of each sync the outcome and the counts in the summary."""
    rows = (line.split() for line in log.splitlines())
    return {row[0]: row[1:] for row in rows if row and row[0] in syncs}


def test_unknown_call_type_is_known_before_reading(site):
    """That sync fails; the others are delivered, and it is not read."""
    site.tap["syncs"] = [sync("bad", type="identfy"), sync("good")]

    code, log = site.run()

    outcomes = _outcomes(log, "bad", "good")
    assert code == 2
    assert outcomes["bad"][:2] == ["failed", "0"]
    assert outcomes["good"][:3] == ["delivered", "1,000", "1,000"]
    assert 'bad: failed: No plugin provides the call type "identfy". Choose one of' in log
    assert list(site.state["bookmarks"]) == ["good"]


def test_exit_code_is_that_of_the_worst_sync(site):
    """A refused mapping (5) and a broken query (3) beside a good sync."""
    site.tap["syncs"] = [
        sync("mapping", query="SELECT plan_name FROM users"),
        sync("query", query="SELECT nothing FROM users"),
        sync("good"),
    ]

    code, log = site.run()

    outcomes = _outcomes(log, "mapping", "query", "good")
    assert code == 3
    assert {name: row[0] for name, row in outcomes.items()} == {
        "mapping": "rejected",
        "query": "failed",
        "good": "delivered",
    }
    assert list(site.state["bookmarks"]) == ["good"]


def test_failed_target_is_no_success_of_the_sync(site):
    """The tap has read all rows, but nothing was delivered."""
    site.target["write_key"] = "wrong"

    _, log = site.run()

    assert _outcomes(log, "users")["users"][0] == "failed"
    assert "users: failed: Destination" in log


def test_interrupted_run_says_so_and_counts_rows(site):
    """By the signal's name; rows read are never fewer than those delivered."""
    site.collector.script([{"delay_seconds": 0.2, "times": None}])
    process = site.start()
    site.wait_for_requests(6)

    process.send_signal(signal.SIGINT)
    screen, log = process.communicate(timeout=60)

    outcome, rows, delivered = _outcomes(screen, "users")["users"][:3]
    assert process.returncode == 130
    assert outcome == "interrupted"
    assert 0 < int(delivered.replace(",", "")) <= int(rows.replace(",", ""))
    for text in (screen, log):
        assert text.count("Interrupted by SIGINT (Ctrl-C). The state file state.json covers") == 1
    assert "The next run continues from it" in log
    assert "ERROR" not in log


@pytest.fixture(scope="module")
def earlier_reports(engine, tmp_path_factory) -> dict[str, bytes]:
    """The reports of a run that succeeded."""
    with open_site(engine, tmp_path_factory.mktemp("earlier")) as site:
        site.tap["report_path"] = "tap_report.json"
        site.target["report_path"] = "target_report.json"
        code, log = site.run()
        assert code == 0, log
        return {path.name: path.read_bytes() for path in site.folder.glob("*_report.json")}


@pytest.mark.parametrize(
    ("program", "settings"),
    [("tap", {"port": 1}), ("tap", {"syncs": "x"}), ("target", {"destination": "nothing"})],
)
def test_no_report_of_an_earlier_run_is_left(site, earlier_reports, program, settings):
    """Whichever program could not start."""
    site.tap["report_path"] = "tap_report.json"
    site.target["report_path"] = "target_report.json"
    assert earlier_reports.keys() == {"tap_report.json", "target_report.json"}
    for name, content in earlier_reports.items():
        (site.folder / name).write_bytes(content)
    getattr(site, program).update(settings)

    code, log = site.run()

    assert code in (2, 3)
    assert "1,000" not in log
    assert not (site.folder / "target_report.json").exists()
    if code == 3:  # the failed login is noticed before the tap is started
        report = json.loads((site.folder / "tap_report.json").read_text())
        assert (report["exit_code"], report["syncs"]["users"]["outcome"]) == (3, "failed")
    else:
        assert not (site.folder / "tap_report.json").exists()


def test_report_has_the_syncs_that_failed_before_the_tap(site):
    """And the exit code of the run: a monitor must not see a success."""
    site.tap |= {"report_path": "tap_report.json"}
    site.tap["syncs"] = [sync(), sync("bad", type="identfy")]

    code, log = site.run()

    report = json.loads((site.folder / "tap_report.json").read_text())
    assert (code, report["exit_code"]) == (2, 2), log
    assert {name: entry["outcome"] for name, entry in report["syncs"].items()} == {
        "users": "read",
        "bad": "failed",
    }
    assert "identfy" in report["message"]


@pytest.mark.parametrize(
    ("tap", "target", "words"),
    [
        ({"report_path": "r.json"}, {"report_path": "./r.json"}, "`report_path` of the target"),
        ({}, {"dead_letter_path": "state.json"}, "--state and `dead_letter_path` of customerio"),
        ({"report_path": "dead_letters.jsonl"}, {}, "`dead_letter_path` of customerio are the"),
    ],
)
def test_file_for_two_purposes_is_refused(site, tap, target, words):
    """One would overwrite the other; nothing is read."""
    site.tap |= tap
    site.target |= target

    code, log = site.run()

    assert code == 2
    assert words in log
    assert site.calls == []


@pytest.mark.parametrize("option", ["--start-now", "--resync"])
def test_option_for_a_disabled_sync_is_refused(site, option):
    """Even if it is the only sync: enabling it later would send its whole history."""
    site.tap["syncs"] = [sync(enabled=False)]

    code, log = site.run(option, "users")

    assert code == 2
    assert f"{option}: sync" in log
    assert "is disabled" in log


def test_rejected_calls_are_retried_by_the_next_run(site):
    """Before it reads; a call that is accepted leaves the file, the letters of records stay."""
    rows = "SELECT id AS userId, plan_name FROM users UNION ALL SELECT NULL, 'nobody'"
    site.tap["syncs"] = [sync(query=rows)]
    site.collector.script([{"status": 400, "contains": '"userId":"7"', "times": None}])
    site.run()
    rejected = {letter["record"]["userId"] for letter in site.dead_letters}
    site.tap["syncs"] = [sync(query="SELECT id AS userId FROM users WHERE id < 0")]
    site.collector.script([])

    code, log = site.run()

    assert code == 0, log
    assert rejected == {7, None}
    assert [letter["record"]["userId"] for letter in site.dead_letters] == [None]
    assert any(b'"userId":"7"' in call for _, call in site.calls)


@pytest.mark.parametrize("reader", ["arrow", "odbc"])
def test_sync_that_fails_while_it_is_read_leaves_no_dead_letters(site, reader):
    """Its bookmark stays, so the next run reads, and rejects, the same rows."""
    query = " UNION ALL ".join(["SELECT id AS userId, plan_name FROM users"] * 10)
    site.tap |= {"reader": reader, "syncs": [sync(query=query), sync("other")]}
    site.target["retry_rejected"] = 0
    site.collector.script([{"status": 400, "contains": '"userId":"7"', "times": None}])
    error = SqlError(8134, "Divide by zero error encountered.", severity=16)
    fault = AnswerError(error=error, matching="UNION ALL", after_rows=8000, times=1)
    site.server.faults.add(fault)

    code, _ = site.run()
    failed = {letter["stream"] for letter in site.dead_letters}
    last_code, log = site.run()

    assert (code, last_code) == (3, 0), log
    assert failed == {"other"}
    assert [letter["stream"] for letter in site.dead_letters].count("users") == 10


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "retries"), [(2, 2), (0, None)])
def test_rejected_call_is_retried_a_few_times(site, limit, retries):
    """At most `retry_rejected` times over all runs; 0 switches it off."""
    site.target["retry_rejected"] = limit
    site.collector.script([{"status": 400, "contains": '"userId":"7"', "times": None}])
    site.run()
    site.tap["syncs"] = [sync(query="SELECT id AS userId FROM users WHERE id < 0")]
    before = len(site.collector.requests)

    runs = limit + 1
    codes = [site.run()[0] for _ in range(runs)]

    assert codes == [0] * runs
    assert [letter.get("retries") for letter in site.dead_letters] == [retries]
    assert len(site.collector.requests) == before + limit


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_ends_both_programs(site, number):
    """The exit code names the signal; no STATE was safe, so there is no state file."""
    site.collector.script([{"delay_seconds": 1.0, "times": None}])
    process = site.start()
    site.wait_for_requests(2)

    process.send_signal(number)

    assert process.wait(timeout=30) == 128 + number
    log = process.stderr.read()
    assert "Traceback" not in log
    assert not site.state_path.exists()


@pytest.mark.parametrize(
    ("program", "settings", "code"),
    [
        ("target", {"write_key": "wrong"}, 4),
        ("target", {"destination": "nothing"}, 2),
        ("tap", {"password": "wrong"}, 3),
        ("tap", {"port": 1}, 3),
        ("tap", {"syncs": "x"}, 2),
    ],
)
def test_exit_code_is_that_of_the_program_that_failed(site, program, settings, code):
    """Including failures that the front door itself finds first."""
    getattr(site, program).update(settings)

    exit_code, log = site.run()

    assert exit_code == code, log
    assert "Traceback" not in log
    assert "wrong" not in log


def test_state_that_cannot_be_written_ends_the_run(site):
    """With its own exit code; the next run sends the same calls again."""
    (site.folder / "state.json.next").mkdir()

    code, log = site.run()

    assert code == 74
    assert "cannot be written" in log


@pytest.mark.parametrize("content", ["{", "[]"])
def test_damaged_state_is_refused(site, content):
    """And it is not overwritten."""
    site.state_path.write_text(content)

    code, _ = site.run()

    assert code == 2
    assert site.state_path.read_text() == content
    assert site.calls == []


def test_run_that_stopped_at_a_limit_is_resumed(site):
    """A destination that keeps throttling ends the run; the next run sends only the rest."""
    site.tap["syncs"] = [sync(partition_column="userId", partitions=10)]
    site.target |= {"max_retry_seconds": 1, "concurrency": 1}
    site.collector.script(
        [{"status": 200, "commit": True, "times": 25}, {"status": 429, "times": None}]
    )
    code, _ = site.run()
    done = [entry for entry in site.state["bookmarks"]["users"]["partitions"] if len(entry) == 2]
    site.collector.script([])

    again, log = site.run()

    assert (code, again) == (4, 0)
    assert 0 < len(done) < 10
    assert "resumes an interrupted run" in log
    assert len({call for call, _ in site.calls}) == ROWS
    assert len(site.calls) < ROWS + ROWS / 5


def test_killed_tap_loses_nothing(site):
    """What it wrote is delivered, the state does not advance, and the next run sends the rest."""
    site.tap["syncs"] = [sync(partition_column="userId", partitions=10)]
    site.collector.script([{"delay_seconds": 0.05, "times": None}])
    process = site.start()
    site.wait_for_requests(3)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    for child in children.split():
        if "tap_mssql_query" in Path(f"/proc/{child}/cmdline").read_text():
            os.kill(int(child), signal.SIGKILL)
    process.wait(timeout=60)
    site.collector.script([])

    code, _ = site.run()

    assert code == 0
    assert len({call for call, _ in site.calls}) == ROWS


def test_program_that_does_not_end_is_killed(monkeypatch, tmp_path):
    """As if a program were deaf to signals: it is killed when its grace is over."""
    monkeypatch.setattr(pipe, "GRACE_SECONDS", 0.2)
    (tmp_path / "deaf.py").write_text(
        "import pathlib, signal, threading\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "pathlib.Path('started').touch()\n"
        "threading.Event().wait(60)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pipe, "_TARGET", "deaf")
    running = pipe.Pipe()
    result = []
    thread = threading.Thread(
        target=lambda: result.append(running.send_again([], "--retry-rejected")[0])
    )
    thread.start()
    while not Path("started").exists():
        threading.Event().wait(0.02)

    running.stop()

    thread.join(20)
    assert result == [128 + signal.SIGKILL]
