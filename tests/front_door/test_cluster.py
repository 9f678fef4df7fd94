"""Runs on a Dask cluster deliver the same calls, whichever process is killed."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pickle
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from distributed import Client, Event, fire_and_forget

from mssql_reverse_etl.cluster.secret_refs import extract_secrets, resolve_secrets
from mssql_reverse_etl.cluster.task_settings import prepare_task_settings
from mssql_reverse_etl.errors import UsageError
from program_kit.exit_codes import worst_exit_code
from sandbox.sql_server.server import SqlServer
from tap_mssql_query.settings.model import parse_settings
from tests.front_door.conftest import (
    PASSWORD,
    ROWS,
    TIMEOUT_SECONDS,
    create_users,
    open_site,
    sync,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sandbox.sql_server.engine import DuckDBEngine
    from tests.front_door.conftest import Site

pytestmark = pytest.mark.timeout(3 * TIMEOUT_SECONDS)
PARTITIONED = sync(partition_column="userId", partitions=2)
"""In two partitions: each task starts both programs, so further ones take long."""
EVENTS = sync(
    "events",
    type="track",
    query="SELECT id AS userId, 'seen' AS event, plan_name FROM users "
    "UNION ALL SELECT id, 'seen', plan_name FROM users",
    partition_column="userId",
    partitions=2,
)
PLAIN = sync("plain")


@pytest.fixture
def site(site: Site) -> Site:
    """A site with two partitioned syncs and one without partitions."""
    site.tap["syncs"] = [PARTITIONED, EVENTS, PLAIN]
    return site


def _processes_of(parent: int, word: str) -> list[int]:
    """Descendants of a process whose command lines contain a word."""
    found = []
    children = [
        path.read_text().split() for path in Path(f"/proc/{parent}/task").glob("*/children")
    ]
    for child in itertools.chain(*children):
        if word in Path(f"/proc/{child}/cmdline").read_text():
            found.append(int(child))
        found += _processes_of(int(child), word)
    return found


def _wait_until(condition, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    never = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true"
        never.wait(0.02)


def _without_ids(calls: Iterable[tuple[str, bytes]]) -> set[bytes]:
    """The calls without their messageIds, which those of facts differ in from run to run."""
    return {call.partition(b",")[2] for _, call in calls}


@pytest.fixture
def parted_site(site: Site) -> Iterator[Site]:
    """A site with seven partitions; its clock stands still, and the calls of one user are refused.

    A run at another time has other messageIds, and takes too long to be made for each claim.
    """
    noon = datetime(2026, 1, 2, 12)
    site.tap["syncs"] = [{**PARTITIONED, "partitions": 4}, {**EVENTS, "partitions": 3}, PLAIN]
    site.collector.script([{"status": 400, "contains": '"userId":"7"', "times": None}])
    with SqlServer(create_users(clock=lambda: noon)) as server:
        site.tap["port"] = server.port
        yield site


def test_run_on_a_cluster_is_as_one_without(parted_site: Site) -> None:
    """With four workers: the same calls, messageIds, dead letters, bookmarks and summary."""
    runs = []
    for arguments in ((), ("--dask", "--workers", "4")):
        parted_site.forget()
        code, log = parted_site.run(*arguments)
        assert code == 0, log
        _assert_all_is_settled(parted_site, log)
        runs.append(parted_site.calls)

    assert runs[1] == runs[0]


def _assert_all_is_settled(site: Site, log: str) -> None:
    """The calls, the summary of all tasks, the dead letters of all workers, and the bookmarks."""
    assert len(set(site.calls)) == 4 * (ROWS - 1)
    names = {"users", "events", "plain"}
    lines = [line.split() for line in log.splitlines() if line.strip()]
    assert {words[0]: words[1:5] for words in lines if words[0] in names} == {
        "users": ["delivered", "1,000", "999", "1"],
        "events": ["delivered", "2,000", "1,998", "2"],
        "plain": ["delivered", "1,000", "999", "1"],
    }
    letters = [(letter["stream"], letter["record"]["userId"]) for letter in site.dead_letters]
    assert sorted(letters) == [("events", 7), ("events", 7), ("plain", 7), ("users", 7)]
    bookmarks = site.state["bookmarks"]
    assert bookmarks.keys() == names
    assert all(
        set(bookmark) == {"last_sync_time", "query_fingerprint"} for bookmark in bookmarks.values()
    )


def test_sync_that_is_not_due_has_no_task(site: Site) -> None:
    """And no cluster is started."""
    site.tap["syncs"] = [{**PARTITIONED, "frequency": "1h"}]
    site.run()
    site.collector.forget()

    code, log = site.run("--dask")

    assert (code, site.calls) == (0, [])
    assert "not due yet" in log
    assert "cluster=" not in log


@pytest.mark.slow
def test_resync_reads_everything_again(site: Site) -> None:
    """Events with the messageIds of the first run, facts with new ones."""
    site.run()
    first = site.calls
    site.collector.forget()

    code, log = site.run(
        "--dask", *("--resync", "users", "--resync", "events", "--resync", "plain")
    )

    assert code == 0, log
    assert _without_ids(site.calls) == _without_ids(first)
    assert _event_ids(site.calls) == _event_ids(first)
    assert len(set(site.calls) & set(first)) == 2 * ROWS


def _event_ids(calls: Iterable[tuple[str, bytes]]) -> set[str]:
    return {message_id for message_id, call in calls if b'"type":"track"' in call}


@pytest.fixture(scope="module")
def expected(engine: DuckDBEngine, tmp_path_factory: pytest.TempPathFactory) -> set[bytes]:
    """The calls of `PARTITIONED`, without their messageIds, of a run without a cluster."""
    with open_site(engine, tmp_path_factory.mktemp("expected")) as site:
        site.tap["syncs"] = [PARTITIONED]
        code, log = site.run()
        assert code == 0, log
        return _without_ids(site.calls)


def test_two_runs_exclude_each_other(site: Site) -> None:
    """By the lock in the database, whatever their state files and machines."""
    site.collector.script([{"delay_seconds": 1.0, "times": None}])
    first = site.start("--dask", "--workers", "1")
    site.wait_for_requests(1)

    (site.folder / "other").mkdir()
    code, log = site.run("--state", "other/state.json")

    assert code == 0
    assert log.count("another run of it is in progress") == 3
    first.send_signal(signal.SIGTERM)
    assert first.wait(timeout=60) == 143


@pytest.mark.slow
def test_lost_worker_loses_no_row(site: Site, expected: set[bytes]) -> None:
    """Another worker runs its task; repeated calls are identical."""
    site.tap["syncs"] = [PARTITIONED]
    site.collector.script([{"delay_seconds": 0.05, "times": None}])
    process = site.start("--dask", "--workers", "2")
    site.wait_for_requests(5)

    workers = _processes_of(process.pid, "spawn_main")
    os.kill(workers[-1], signal.SIGKILL)
    _, log = process.communicate(timeout=TIMEOUT_SECONDS)

    assert process.returncode == 0, log
    assert len(set(site.calls)) == ROWS
    assert _without_ids(site.calls) == expected


def test_killed_coordinator_loses_no_row_and_leaves_no_process(
    site: Site, expected: set[bytes]
) -> None:
    """Its tasks end soon; the next run reads the partitions that are not done."""
    site.tap["syncs"] = [{**PARTITIONED, "partitions": 3}]
    site.collector.script([{"delay_seconds": 0.2, "times": None}])
    process = site.start("--dask", "--workers", "2")
    site.wait_for_requests(12)
    programs = _processes_of(process.pid, "target_pipelines")

    process.kill()
    process.wait()
    _wait_until(lambda: not any(Path(f"/proc/{number}").exists() for number in programs))
    unfinished = site.state["bookmarks"]["users"]
    site.collector.script([])
    code, log = site.run("--dask", "--workers", "2")

    assert code == 0, log
    assert "unfinished" in unfinished
    assert "resumes an interrupted run" in log
    assert len(set(site.calls)) == ROWS
    assert _without_ids(site.calls) == expected
    assert set(site.state["bookmarks"]["users"]) == {"last_sync_time", "query_fingerprint"}


@pytest.fixture
def cluster(site: Site) -> Iterator[Cluster]:
    """A scheduler; its workers are separate processes, as on other machines."""
    with Cluster(site.folder) as cluster:
        yield cluster


class Cluster:
    """The processes of a cluster."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[str]] = []
        self.address = ""

    def __enter__(self) -> Cluster:
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0")
        assert self.scheduler.stderr is not None
        for line in self.scheduler.stderr:
            if found := re.search(r"Scheduler at: +(tcp://\S+)", line):
                self.address = found[1]
                break
        return self

    def add_worker(self, name: str, **environment: str) -> subprocess.Popen[str]:
        """Start a worker with these environment variables."""
        return self._start(
            *("worker", self.address, "--name", name, "--nthreads", "1", "--no-dashboard"),
            *("--no-nanny", "--death-timeout", "60"),
            **environment,
        )

    def add_workers(self, count: int, **environment: str) -> None:
        """Start workers, each with these environment variables."""
        for number in range(count):
            self.add_worker(f"{len(self._processes)}-{number}", **environment)

    @contextlib.contextmanager
    def client(self, *, workers: int) -> Iterator[Client]:
        """A client, once that many workers are connected."""
        with Client(self.address) as client:
            client.wait_for_workers(workers, timeout=60)
            yield client

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()  # a worker that is asked to end would look for its scheduler first
            process.communicate()

    def _start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments],
            cwd=self._folder,
            env={**os.environ, **environment},
            stderr=subprocess.PIPE if arguments[0] == "scheduler" else subprocess.DEVNULL,
            text=True,
        )
        self._processes.append(process)
        return process


def _secrets(site: Site) -> dict[str, str]:
    return {
        "TAP_MSSQL_QUERY_PASSWORD": PASSWORD,
        "TARGET_PIPELINES_WRITE_KEY": str(site.target["write_key"]),
    }


@pytest.mark.slow
def test_workers_take_secrets_from_their_environment(site: Site, cluster: Cluster) -> None:
    """No secret is sent to them."""
    site.tap["syncs"] = [PARTITIONED]
    cluster.add_workers(2, **_secrets(site))

    code, log = site.run("--dask", cluster.address)

    assert code == 0, log
    assert len(site.calls) == ROWS


def test_worker_without_secrets_fails_the_run(site: Site, cluster: Cluster) -> None:
    """The message names the variable; nothing is read."""
    cluster.add_workers(1)

    code, log = site.run("--dask", cluster.address)

    assert code == 2, log
    assert "variable TAP_MSSQL_QUERY_PASSWORD is not set" in log
    assert site.calls == []


def test_failed_task_is_retried_on_another_worker(site: Site, cluster: Cluster) -> None:
    """The first worker has a wrong key, which the destination rejects."""
    site.tap["syncs"] = [PARTITIONED]
    wrong = {**_secrets(site), "TARGET_PIPELINES_WRITE_KEY": "wrong"}
    cluster.add_workers(1, **wrong)
    cluster.add_workers(1, **_secrets(site))

    code, log = site.run("--dask", cluster.address, "--workers", "2")

    assert code == 0, log
    assert "Trying again on another worker" in log
    assert len({call for call, _ in site.calls}) == ROWS


def _occupy(client: Client, worker: str) -> Event:
    """Keep a worker busy until the returned event is set."""
    event = Event(f"{worker}-is-free", client=client)
    fire_and_forget(client.submit(event.wait, workers=worker, pure=False))
    return event


def _has_task(client: Client, worker: str, key: str) -> bool:
    """Whether a task is assigned to a worker; tasks are known by the beginning of their keys."""
    names = {address: info["name"] for address, info in client.scheduler_info()["workers"].items()}
    return any(
        names.get(address) == worker and any(str(task).startswith(key) for task in tasks)
        for address, tasks in client.processing().items()
    )


def _balance(client: Client) -> None:
    """Let idle workers steal waiting tasks now, as the scheduler does from time to time."""
    client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.extensions["stealing"].balance())


def _read_log_until(process: subprocess.Popen[str], sentence: str, times: int = 1) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        times -= sentence in line
        if not times:
            return
    raise AssertionError(f"the run ended before it logged {sentence!r}")


def test_task_is_not_retried_where_it_failed_while_another_worker_is_alive(
    site: Site, cluster: Cluster
) -> None:
    """After two failures it waits for the third worker, although the other two are idle."""
    site.tap["syncs"] = [sync()]
    wrong = {**_secrets(site), "TARGET_PIPELINES_WRITE_KEY": "wrong"}
    cluster.add_worker("wrong-1", **wrong)
    cluster.add_worker("wrong-2", **wrong)
    cluster.add_worker("right", **_secrets(site))

    with cluster.client(workers=3) as client:
        is_free = _occupy(client, "right")
        process = site.start("--dask", cluster.address, "--workers", "1")
        _wait_until(lambda: _has_task(client, "right", "users-None-3"))
        for _ in range(10):
            _balance(client)
        is_free.set()
        _, log = process.communicate(timeout=TIMEOUT_SECONDS)

    assert process.returncode == 0, log
    assert len({call for call, _ in site.calls}) == ROWS


def test_task_is_resubmitted_when_its_workers_leave(site: Site, cluster: Cluster) -> None:
    """The scheduler itself would wait until they return."""
    site.tap["syncs"] = [sync()]
    wrong = {**_secrets(site), "TARGET_PIPELINES_WRITE_KEY": "wrong"}
    cluster.add_worker("wrong", **wrong)
    leaves = cluster.add_worker("leaves", **_secrets(site))

    with cluster.client(workers=2) as client:
        _occupy(client, "leaves")
        process = site.start("--dask", cluster.address, "--workers", "1")
        _read_log_until(process, "Trying again on another worker")
        cluster.add_worker("stays", **_secrets(site))
        client.wait_for_workers(3, timeout=60)
        leaves.kill()
        _, log = process.communicate(timeout=TIMEOUT_SECONDS)

    assert process.returncode == 0, log
    assert len({call for call, _ in site.calls}) == ROWS


def test_task_that_fails_everywhere_fails_only_its_sync(site: Site) -> None:
    """After three attempts; its bookmark stays, that of the other sync advances."""
    site.collector.script([{"status": 403, "contains": '"traits":{"email"', "times": None}])
    site.tap["syncs"] = [
        PARTITIONED,
        sync(
            "others",
            query="SELECT id AS userId FROM users",
            partition_column="userId",
            partitions=2,
        ),
    ]

    code, log = site.run("--dask", "--workers", "2")

    assert code == 4, log
    assert "Trying again on another worker." in log
    assert log.count("HTTP 403") >= 3
    assert log.count("Trying again") >= 2
    assert "unfinished" in site.state["bookmarks"]["users"]
    assert set(site.state["bookmarks"]["others"]) == {"last_sync_time", "query_fingerprint"}
    assert " failed " in next(line for line in log.splitlines() if line.startswith("users "))


@pytest.mark.slow
def test_rate_limit_applies_to_the_whole_cluster(site: Site) -> None:
    """And not to each task: at 20 per second, 100 requests take more than four seconds."""
    site.tap["syncs"] = [PARTITIONED]
    site.target |= {"requests_per_second": 20, "batch_max_calls": 10}

    code, log = site.run("--dask", "--workers", "2")

    assert code == 0, log
    arrivals = sorted(request.arrived_at for request in site.collector.requests)
    slots = 2  # each may send its first request at once
    busiest = max(sum(start <= arrival < start + 1 for arrival in arrivals) for start in arrivals)
    assert len(arrivals) >= 100
    assert busiest <= 20 + slots


@pytest.mark.slow
def test_killed_scheduler_loses_no_row(site: Site, cluster: Cluster, expected: set[bytes]) -> None:
    """The coordinator reports the lost cluster; the next run sends the rest."""
    site.tap["syncs"] = [PARTITIONED]
    site.collector.script([{"delay_seconds": 0.2, "times": None}])
    cluster.add_workers(2, **_secrets(site))
    process = site.start("--dask", cluster.address)
    site.wait_for_requests(12)

    cluster.scheduler.kill()
    _, log = process.communicate(timeout=TIMEOUT_SECONDS)

    assert process.returncode == 4, log
    assert "scheduler is gone" in log
    site.collector.script([])
    code, log = site.run()
    assert code == 0, log
    assert len(set(site.calls)) == ROWS
    assert _without_ids(site.calls) == expected


def test_unreachable_cluster_fails_the_run(site: Site) -> None:
    """Before any row is read."""
    code, log = site.run("--dask", "tcp://127.0.0.1:1")

    assert code == 4
    assert "does not respond" in log


def test_file_destination_is_refused(site: Site) -> None:
    """Each worker would write its own file."""
    site.target = {"destination": "file"}

    code, log = site.run("--dask")

    assert code == 2
    assert "without --dask" in log


SECRETS = {"password", "write_key", "acme_pins"}


def test_secrets_are_extracted_and_resolved() -> None:
    """At any depth and of any type; the extracted configuration holds none."""
    config = {
        "password": "c4n4ry-1",
        "databases": {"crm-eu": {"host": "h", "password": "c4n4ry-2"}},
        "destinations": [{"name": "a", "write_key": "c4n4ry-3"}, {"write_key": "c4n4ry-4"}],
        "destination_options": {"acme_pins": ["c4n4ry-5"], "acme_url": "http://acme"},
        "syncs": [{"name": "password"}],
    }

    extracted, secrets = extract_secrets(config, "X", SECRETS)

    assert b"c4n4ry" not in pickle.dumps(extracted)
    assert secrets == {
        "X_PASSWORD": "c4n4ry-1",
        "X_DATABASES_CRM_EU_PASSWORD": "c4n4ry-2",
        "X_DESTINATIONS_A_WRITE_KEY": "c4n4ry-3",
        "X_DESTINATIONS_1_WRITE_KEY": "c4n4ry-4",
        "X_DESTINATION_OPTIONS_ACME_PINS": '["c4n4ry-5"]',
    }
    assert resolve_secrets(extracted, secrets) == config


@pytest.mark.parametrize(
    ("config", "paths"),
    [
        (
            {"destinations": [{"name": name, "write_key": name} for name in ("crm-eu", "crm_eu")]},
            ("destinations[0].write_key", "destinations[1].write_key"),
        ),
        (
            {"destinations": [{"name": "1", "write_key": "a"}, {"write_key": "b"}]},
            ("destinations[0].write_key", "destinations[1].write_key"),
        ),
        (
            {"databases": {"crm": {"password": "a"}, "CRM": {"password": "a"}}},
            ("databases.crm.password", "databases.CRM.password"),
        ),
    ],
)
def test_secrets_with_one_variable_are_refused(config, paths) -> None:
    """One would replace the other, and go to the wrong server."""
    with pytest.raises(UsageError) as caught:
        extract_secrets(config, "X", SECRETS)

    assert all(path in str(caught.value) for path in paths)


ACME = """
from target_pipelines import HttpProfile, Setting, hookimpl

PROFILE = HttpProfile(
    name="acme",
    base_urls={"us": "https://127.0.0.1:1"},
    call_max_bytes=1000,
    batch_max_bytes=9000,
    settings=[Setting("pin", {"type": "string"}, "The second key.", secret=True)],
)

@hookimpl
def register_destinations(register):
    register(PROFILE.as_destination())
"""


def test_secrets_of_plugins_are_not_sent_to_workers(site: Site, tmp_path, monkeypatch) -> None:
    """Those that a destination declares as secret, among its other options."""
    about = tmp_path / "acme-1.0.dist-info"
    about.mkdir()
    (tmp_path / "acme.py").write_text(ACME)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[target_pipelines]\nacme = acme\n")
    monkeypatch.syspath_prepend(tmp_path)
    target = {"destination": "acme", "write_key": "k", "destination_options": {"pin": "c4n4ry"}}

    tasks = prepare_task_settings(site.tap, parse_settings(site.tap), target)

    assert b"c4n4ry" not in pickle.dumps((tasks.tap, tasks.target))
    assert tasks.secrets["TARGET_PIPELINES_DESTINATION_OPTIONS_PIN"] == "c4n4ry"


FATES = {
    "good": "SELECT id AS userId, plan_name FROM users",
    "no such column": "SELECT id AS userId, nothing FROM users",
    "no user": "SELECT id AS [traits.n], id AS partitioned FROM users",
    "unknown type": "SELECT id AS userId, plan_name FROM users",
    "fails while it is read": "SELECT id AS userId, 1000 / (id - 990) AS n FROM users",
}
CODES = {"no such column": 3, "no user": 5, "unknown type": 2, "fails while it is read": 3}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_failing_syncs_stop_no_other(site: Site, seed: int) -> None:
    """Each of some syncs fails in its own way; the others are delivered, and only they move."""
    rng = random.Random(seed)
    fates = {f"s{n}": rng.choice(list(FATES)) for n in range(5)} | {"s5": "good", "s6": "no user"}
    site.tap["syncs"] = []
    for name, fate in fates.items():
        column = "partitioned" if fate == "no user" else "userId"
        ranges = rng.choice([{}, {"partition_column": column, "partitions": 2}])
        call_type = "identfy" if fate == "unknown type" else "identify"
        settings = {"type": call_type, "query": FATES[fate], **ranges}
        site.tap["syncs"].append(sync(name, **settings))
    site.state_path.write_text(json.dumps({"bookmarks": {n: {"last_sync_time": 7} for n in fates}}))

    code, log = site.run("--dask", "--workers", "2")

    good = {name for name, fate in fates.items() if fate == "good"}
    bookmarks = site.state["bookmarks"]
    moved = {name for name, bookmark in bookmarks.items() if bookmark["last_sync_time"] > 7}
    failed = {CODES[fate] for fate in fates.values() if fate in CODES}
    assert moved == good, log
    assert code == worst_exit_code(failed), log
    delivered = Counter(call for _, call in site.calls)
    bodies = Counter(call.partition(b",")[2] for call in delivered if b"plan_name" in call)
    assert len(bodies) == ROWS
    assert set(bodies.values()) == {len(good)}
    assert {letter["stream"] for letter in site.dead_letters} <= good
