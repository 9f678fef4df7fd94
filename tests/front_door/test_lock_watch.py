"""A lock that is lost while its run sends: the run stops, because another one may begin."""

from __future__ import annotations

import itertools
import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from mssql_reverse_etl.run import lock_watch
from mssql_reverse_etl.run.lock_watch import ASK_SECONDS, PATIENCE_SECONDS, LockWatch, WatchedLock
from mssql_reverse_etl.run.state_file import StateFile
from mssql_reverse_etl.run.sync_locks import SyncLocks
from sandbox.sql_server.faults import AnswerError, Delay
from sandbox.sql_server.results import SqlError
from tap_mssql_query.settings.model import parse_settings
from tests.front_door.conftest import ROWS, sync
from tests.reliability.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.front_door.conftest import Site

IN_FLIGHT_SECONDS = 5.0
"""How long the requests of a stopped target may take."""
WAIT_SECONDS = 20.0
QUESTION = "APPLOCK_MODE"


@dataclass
class Stop:
    """What a run does when a lock is lost."""

    called: threading.Event = field(default_factory=threading.Event)
    count: int = 0

    def __call__(self) -> None:
        """Count the call."""
        self.count += 1
        self.called.set()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds pass ten times as fast for the watch; its bounds keep their proportions."""
    for name in ("ASK_SECONDS", "PATIENCE_SECONDS", "_MIN_WAIT_SECONDS", "_RETRY_SECONDS"):
        monkeypatch.setattr(lock_watch, name, getattr(lock_watch, name) / 10)


@pytest.fixture
def proxy(site: Site) -> Iterator[Proxy]:
    """What stands between the site's first run and its database: connection 0 is the lock's."""
    with Proxy(site.server.port) as proxy:
        site.tap["port"] = proxy.port
        yield proxy


def _locks(site: Site, **changes: Any) -> SyncLocks:
    settings = parse_settings({**site.tap, **changes})
    return SyncLocks(settings, settings.syncs)


@pytest.mark.parametrize("reader", ["arrow", "odbc"])
@pytest.mark.parametrize("silently", [False, True], ids=["reset", "silent"])
@pytest.mark.usefixtures("quick")
def test_lost_connection_stops_the_run(site, proxy, reader, silently):
    """Whether the client is told of its end or not; the syncs and the reason are named."""
    stop = Stop()
    with _locks(site, reader=reader, syncs=[sync("a"), sync("b")]) as locks:
        with LockWatch(locks.watched(), stop) as watch:
            proxy.cut(0, silently=silently)
            assert stop.called.wait(WAIT_SECONDS)
        with _locks(site) as others:
            assert others.held == ["users"]

    assert (stop.count, watch.exit_code) == (1, 3)
    assert set(watch.losses) == {"a", "b"}
    reason = "did not respond within" if silently else "is gone ("
    assert all(reason in loss and "database shop" in loss for loss in watch.losses.values())


@pytest.mark.usefixtures("quick")
def test_each_database_is_watched(site, proxy):
    """The syncs of the other connection are not said to have lost their lock."""
    stop = Stop()
    syncs = [sync("a"), sync("b", database="second")]
    second = {name: site.tap[name] for name in ("host", "database", "username", "password")}
    databases = {"second": {**second, "port": proxy.port, "encrypt": "no"}}
    with (
        _locks(site, databases=databases, syncs=syncs) as locks,
        LockWatch(locks.watched(), stop) as watch,
    ):
        proxy.cut(1)
        assert stop.called.wait(WAIT_SECONDS)

    assert set(watch.losses) == {"b"}


@pytest.mark.parametrize(
    "fault",
    [
        Delay(matching=QUESTION, seconds=0.6, times=3),
        AnswerError(matching=QUESTION, error=SqlError(701, "Out of memory.", severity=17)),
    ],
    ids=["slow", "error"],
)
@pytest.mark.usefixtures("quick")
def test_busy_server_stops_no_run(site, fault):
    """Answers that take a third of the patience, or an error, are followed by further questions."""
    site.server.faults.add(fault)
    stop = Stop()
    with _locks(site) as locks, LockWatch(locks.watched(), stop) as watch:
        _wait_until(lambda: len(site.server.faults.fired) == fault.times)
        assert not stop.called.wait(2.0)

    assert (watch.losses, watch.exit_code) == ({}, 0)


@pytest.mark.usefixtures("quick")
def test_released_lock_stops_the_run(site):
    """As after a driver that reconnected without a word: the session is alive and holds none."""
    stop = Stop()
    with _locks(site) as locks:
        locks.session_of(_only_sync(site)).run(
            "EXEC sp_releaseapplock @Resource = N'tap-mssql-query/users', @LockOwner = 'Session'"
        )
        with LockWatch(locks.watched(), stop) as watch:
            assert stop.called.wait(WAIT_SECONDS)

    assert "has released it" in watch.losses["users"]


def _only_sync(site: Site) -> Any:
    return parse_settings(site.tap).syncs[0]


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true"
        threading.Event().wait(0.05)


@pytest.mark.parametrize("change", ["unlink", "touch"])
@pytest.mark.usefixtures("quick")
def test_deleted_lock_file_stops_the_run(tmp_path: Path, change):
    """Another run would lock a new file of that name."""
    file, stop = StateFile(tmp_path / "state.json"), Stop()
    with file.locked(), LockWatch(file.watched(), stop) as watch:
        lock = tmp_path / "state.json.lock"
        lock.unlink()
        if change == "touch":
            lock.touch()
        assert stop.called.wait(WAIT_SECONDS)

    assert (watch.losses, watch.exit_code) == ({}, 75)


@pytest.mark.usefixtures("quick")
def test_state_file_that_is_replaced_keeps_its_lock(tmp_path: Path):
    """As each STATE does it."""
    file, stop = StateFile(tmp_path / "state.json"), Stop()
    with file.locked(), LockWatch(file.watched(), stop):
        for number in range(10):
            file.write({"number": number})
            assert not stop.called.wait(0.1)


@pytest.mark.usefixtures("quick")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_watch_that_fails_stops_the_run():
    """A bug must not leave a run unwatched."""

    def fail(_: float) -> None:
        raise ZeroDivisionError

    stop = Stop()
    lock = WatchedLock(protects="sync=a", syncs=["a"], exit_code=3, find_loss=fail)
    with LockWatch([lock], stop):
        assert stop.called.wait(WAIT_SECONDS)


@pytest.mark.usefixtures("quick")
def test_machine_that_resumes_waits_only_briefly_for_an_answer():
    """An hour has passed since the last answer: another run may have the lock by now."""
    stop, waits = Stop(), []
    times = itertools.chain([0.0] * 3, itertools.repeat(3600.0))

    def find_loss(seconds: float) -> str | None:
        waits.append(seconds)
        return "silence" if len(waits) == 2 else None

    lock = WatchedLock(protects="sync=a", syncs=["a"], exit_code=3, find_loss=find_loss)
    with LockWatch([lock], stop, clock=lambda: next(times)):
        assert stop.called.wait(WAIT_SECONDS)

    assert waits == [PATIENCE_SECONDS / 10, 0.2]


def _run_slowly(site: Site, *arguments: str) -> Any:
    """Start a run that would take more than a minute, and wait until it sends."""
    site.target["batch_max_calls"] = 5
    site.collector.script([{"delay_seconds": 2.0, "times": None}])
    process = site.start(*arguments)
    site.wait_for_requests(4)
    return process


def _run_second(site: Site) -> list[str]:
    """What another machine delivers now, with a state of its own; not through the proxy."""
    (site.folder / "other").mkdir()
    site.tap["port"] = site.server.port
    site.target = {"destination": "file", "output_path": "second.jsonl"}
    code, log = site.run("--state", "other/state.json")
    assert code == 0, log
    return (site.folder / "second.jsonl").read_text().splitlines()


@pytest.mark.parametrize(
    ("silently", "arguments"),
    [
        pytest.param(False, (), id="reset"),
        pytest.param(True, (), id="silent", marks=pytest.mark.slow),
        pytest.param(False, ("--dask", "--workers", "1"), id="cluster", marks=pytest.mark.slow),
    ],
)
def test_run_without_its_lock_sends_nothing_new(site, proxy, silently, arguments):
    """A second run may begin at once; the first one stops within the bound, with exit code 3."""
    bound = PATIENCE_SECONDS if silently else ASK_SECONDS
    site.tap["report_path"] = "report.json"
    first = _run_slowly(site, *arguments)

    proxy.cut(0, silently=silently)
    cut_at = time.time()
    second = _run_second(site)
    log = "".join(first.communicate(timeout=60))

    assert time.time() < cut_at + bound + IN_FLIGHT_SECONDS + WAIT_SECONDS
    assert (first.returncode, len(second)) == (3, ROWS), log
    assert 0 < len(site.calls) < ROWS
    assert max(call.arrived_at for call in site.collector.calls) < cut_at + bound + 2.0
    assert log.count("The lock of sync=users is lost: its connection to 127.0.0.1:") == 1
    assert "users: failed: Its lock was lost: " in log
    assert "Traceback" not in log


def test_states_before_the_loss_are_kept(site, proxy):
    """The next run resumes after them, and the report says why the sync failed."""
    site.tap["syncs"] = [sync(partition_column="userId", partitions=20)]
    site.tap["report_path"] = "report.json"
    first = _run_slowly(site)
    _wait_until(site.state_path.exists)

    proxy.cut(0)
    log = first.communicate(timeout=60)[1]
    report = json.loads((site.folder / "report.json").read_text())
    site.collector.script([])
    code, _ = site.run()

    assert (first.returncode, code) == (3, 0), log
    assert (report["exit_code"], report["syncs"]["users"]["outcome"]) == (3, "failed")
    assert "Its lock was lost: " in report["message"]
    assert len({call for call, _ in site.calls}) == ROWS


def test_deleted_lock_file_ends_the_run(site):
    """With the exit code of two runs of one state file."""
    first = _run_slowly(site)

    (site.folder / "state.json.lock").unlink()
    log = first.communicate(timeout=60)[1]

    assert first.returncode == 75, log
    assert "The lock of the state file state.json is lost: " in log
    assert len(site.calls) < ROWS
