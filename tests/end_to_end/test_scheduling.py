from __future__ import annotations

import stat
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from sandbox.collector import Collector
from sandbox.shop import DATABASE
from sandbox.shop.creation import create_empty_shop
from sandbox.sql_server.engine import DuckDBEngine
from sandbox.sql_server.server import SqlServer
from tests.end_to_end.conftest import SYNCS_BY_TYPE, describe_tap, describe_target
from tests.end_to_end.scheduled_job import SCRIPT, ScheduledJob

if TYPE_CHECKING:
    from collections.abc import Iterator

IDENTIFY, TRACK = (dict(SYNCS_BY_TYPE[name]) for name in ("identify", "track"))
BOTH = {IDENTIFY["name"], TRACK["name"]}


class _Shop:
    """Users and events that are added as time goes by; one of each per id."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
        self.ids: set[str] = set()
        self.engine = DuckDBEngine(clock=lambda: self.now)
        create_empty_shop(self.engine)

    def add(self, count: int) -> None:
        self.now += timedelta(minutes=1)
        stamp = int(self.now.timestamp())
        new = range(len(self.ids), len(self.ids) + count)
        self._insert("users (id, fname, last_updated)", [f"({i}, 'Ada', {stamp})" for i in new])
        self._insert(
            "events (id, event_name, [timestamp])", [f"({i}, 'Bought', {stamp})" for i in new]
        )
        self.ids.update(map(str, new))
        self.now += timedelta(minutes=1)

    def _insert(self, table: str, rows: list[str]) -> None:
        self.engine.run(DATABASE, f"INSERT INTO {table} VALUES {', '.join(rows)}")


def open_shop() -> _Shop:
    """A shop with five users and events."""
    shop = _Shop()
    shop.add(5)
    return shop


@pytest.fixture
def shop():
    """The shop with five users and events."""
    return open_shop()


@pytest.fixture
def engine(shop):
    """The engine behind the server."""
    return shop.engine


@contextmanager
def _open_job(folder, tap_config, target_config) -> Iterator[ScheduledJob]:
    job = ScheduledJob(folder)
    job.configure({**tap_config, "syncs": [IDENTIFY, TRACK]}, target_config)
    try:
        yield job
    finally:
        job.kill_all()


@pytest.fixture
def job(tmp_path, tap_config, target_config):
    """Two syncs, users and events, to the collector."""
    with _open_job(tmp_path, tap_config, target_config) as job:
        yield job


@pytest.fixture(scope="module")
def settled_state(tmp_path_factory) -> bytes:
    """The state file after a run over the five users and events; it knows no server or folder."""
    shop = open_shop()
    with SqlServer(shop.engine) as server, Collector() as collector:
        settings = describe_tap(server), describe_target(collector)
        with _open_job(tmp_path_factory.mktemp("settled"), *settings) as job:
            done = job.run()
            assert (done.exit_code, set(job.last_sync_times)) == (0, BOTH), done.log
            assert_nothing_missing(collector, shop)
            return job.state_file.read_bytes()


def _received(collector) -> dict[str, list[str]]:
    return {
        kind: sorted((c.body["userId"] for c in collector.calls if c.type == kind), key=int)
        for kind in ("identify", "track")
    }


def assert_nothing_missing(collector, shop) -> None:
    """Every user and every event of the shop has arrived."""
    assert {kind: set(ids) for kind, ids in _received(collector).items()} == {
        "identify": shop.ids,
        "track": shop.ids,
    }


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_second_run_sends_only_what_changed(job, shop, collector, shell):
    """The state that the first run kept, readable by its owner only, is where the second begins."""
    first = job.run(shell=shell)
    assert (first.exit_code, set(job.last_sync_times)) == (0, BOTH), first.log
    assert stat.S_IMODE(job.state_file.stat().st_mode) == 0o600
    collector.forget()
    shop.add(2)

    second = job.run(shell=shell)

    assert second.exit_code == 0, second.log
    assert _received(collector) == {"identify": ["5", "6"], "track": ["5", "6"]}
    assert set(job.last_sync_times.values()) == {int(shop.now.timestamp())}
    assert {path.name for path in job.folder.glob("state.*")} == {"state.json", "state.json.lock"}


def test_sync_that_is_not_due_sends_nothing(job, shop, tap_config, target_config, collector):
    """However often the script runs, `frequency` decides; the bookmark stays meanwhile."""
    syncs = [{**IDENTIFY, "frequency": "1h"}]
    job.configure({**tap_config, "syncs": syncs}, target_config)
    job.run()
    before = job.last_sync_times
    collector.forget()
    shop.add(1)

    early = job.run()
    assert (early.exit_code, collector.calls, job.last_sync_times) == (0, [], before), early.log
    shop.now += timedelta(hours=1)
    job.run()

    assert _received(collector)["identify"] == ["5"]
    assert job.last_sync_times != before


def test_options_go_to_the_tap(job, settled_state, collector):
    """A sync is read from its beginning again under the same lock and state."""
    job.state_file.write_bytes(settled_state)

    done = job.run("--resync", IDENTIFY["name"])

    assert done.exit_code == 0, done.log
    assert _received(collector) == {"identify": ["0", "1", "2", "3", "4"], "track": []}


def test_refused_key_leaves_the_state(job, settled_state, shop, collector):
    """The target's exit code tells more than that of a tap nobody reads; the state stands."""
    job.state_file.write_bytes(settled_state)
    collector.script([{"status": 401, "times": None}])
    shop.add(100)

    done = job.run()

    assert (done.exit_code, job.state_file.read_bytes()) == (4, settled_state), done.log


def test_failure_after_the_first_sync_keeps_its_state(job, tap_config, target_config, collector):
    """A STATE that came out before the run failed is safe, and kept; the rest is made good."""
    job.configure(
        {**tap_config, "syncs": [IDENTIFY, TRACK]}, {**target_config, "batch_max_calls": 5}
    )
    collector.script([{"status": 401, "contains": "Ada", "times": None}])

    failed = job.run()
    assert (failed.exit_code, set(job.last_sync_times)) == (4, {TRACK["name"]}), failed.log
    collector.script([])
    assert job.run().exit_code == 0

    assert set(job.last_sync_times) == BOTH


def test_failing_query_is_the_exit_code_and_the_others_are_kept(
    job, tap_config, target_config, collector
):
    """The tap's code is handed on when the target had nothing to complain of."""
    broken = {"name": "broken", "type": "track", "query": "SELECT nothing FROM nowhere"}
    job.configure({**tap_config, "syncs": [broken, IDENTIFY]}, target_config)

    done = job.run()

    assert (done.exit_code, set(job.last_sync_times)) == (3, {IDENTIFY["name"]}), done.log


def test_second_run_at_once_is_refused(job, shop, collector):
    """It says why, with a code of its own, does nothing, and leaves the first one alone."""
    collector.script([{"status": 503, "times": None}])
    first = job.start()
    collector.wait_for_requests(1)

    second = job.run()
    assert second.exit_code == 75
    assert "run-sync.sh: another run with state.json is not over; nothing was done" in second.log
    collector.script([])

    assert job.finish(first).exit_code == 0
    assert_nothing_missing(collector, shop)
    assert _received(collector)["track"] == sorted(shop.ids)


WHOLE = r'{"bookmarks":{"users":{"last_sync_time":1}}}\n'
HALF = '{"bookmarks":{"events":{}'  # it ends as a whole one does
PRINTED = {
    "nothing": ("", None),
    "half a state": (HALF, None),
    "an empty line": (r"\n", None),
    "a state and a half": (WHOLE + HALF, WHOLE),
    "something else": (r"hello\n", None),
    "something else later": (WHOLE + r"hello\n\n", WHOLE),
}


@pytest.mark.parametrize(("printed", "kept"), PRINTED.values(), ids=list(PRINTED))
def test_only_whole_states_are_kept(job, printed, kept):
    """Whatever a dying target prints, the file has a complete state; and it keeps the old one."""
    old = '{"bookmarks":{"users":{"last_sync_time":0}}}\n'
    job.state_file.write_text(old)
    job.put_program("tap-mssql-query", "exit 0")
    job.put_program("target-pipelines", f"printf '{printed}'; exit 4")

    assert job.run().exit_code == 4

    expected = old if kept is None else kept.replace(r"\n", "\n")
    assert job.state_file.read_text() == expected


OWN_FAILURES = {
    "program is missing": ("exec no-such-program", "exit 0", 127),
    "both fail": ("exit 3", "exit 4", 4),
    "tap fails": ("exit 3", "exit 0", 3),
    "tap is killed": ("kill -9 $$", "cat >/dev/null", 137),
}


@pytest.mark.parametrize(("tap", "target", "code"), OWN_FAILURES.values(), ids=list(OWN_FAILURES))
def test_first_failure_to_look_at_is_the_exit_code(job, tap, target, code):
    """The target's, else the tap's; never 0 when one of them failed."""
    job.put_program("tap-mssql-query", tap)
    job.put_program("target-pipelines", target)

    assert job.run().exit_code == code


def test_state_that_cannot_be_written_fails_the_run(job):
    """Everything was sent, but the next run will send it again: somebody must be told."""
    job.put_program("sync", "exit 1")

    done = job.run()

    assert (done.exit_code, job.state_file.exists()) == (74, False)
    assert "could not write state.json" in done.log


def test_folder_that_cannot_be_written_fails_the_run_at_once(job):
    """Without a place for the lock nothing is started."""
    arguments = ("tap.json", "target.json", "missing/state.json")

    done = job.finish(job.start_command(["sh", str(SCRIPT), *arguments]))

    assert done.exit_code == 74
    assert "tap-mssql-query" not in done.log


def test_wrong_use_is_explained(job):
    """Without a state file's name nothing is started."""
    done = job.finish(job.start_command(["sh", str(SCRIPT), "tap.json", "target.json"]))

    assert done.exit_code == 64
    assert done.log.startswith("Usage: run-sync.sh TAP_CONFIG TARGET_CONFIG STATE_FILE")
