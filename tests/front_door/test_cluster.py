"""Runs on a Dask cluster: the same calls, whatever dies."""

from __future__ import annotations

import itertools
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mssql_reverse_etl.cluster.secret_refs import put_in, take_out
from tests.front_door.conftest import PASSWORD, ROWS, sync

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.front_door.conftest import Site

PARTITIONED = sync(partition_column="userId", partitions=8)
EVENTS = sync(
    "events",
    type="track",
    query="SELECT id AS userId, 'seen' AS event, plan_name FROM users "
    "UNION ALL SELECT id, 'seen', plan_name FROM users",
    partition_column="userId",
    partitions=5,
)


@pytest.fixture
def site(site: Site) -> Site:
    """With syncs in partitions, and one without."""
    site.tap["syncs"] = [PARTITIONED, EVENTS, sync("plain")]
    return site


def _processes_of(parent: int, word: str) -> list[int]:
    """The processes below one whose command lines hold a word."""
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
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        os.sched_yield()


def test_calls_are_the_same_however_they_are_sent(site: Site) -> None:
    """By one process, by one worker and by four: the same set, messageIds included."""
    runs = []
    for words in ((), ("--dask", "--workers", "1"), ("--dask", "--workers", "4")):
        site.state_path.unlink(missing_ok=True)
        site.collector.forget()
        code, log = site.run(*words)
        assert code == 0, log
        runs.append(site.calls)
        assert {"events", "plain", "users"} == set(site.state["bookmarks"])
        assert all(
            set(bookmark) == {"last_sync_time", "query_fingerprint"}
            for bookmark in site.state["bookmarks"].values()
        )

    assert len(set(runs[0])) == 4 * ROWS
    assert runs[1] == runs[0]
    assert runs[2] == runs[0]


def test_summary_adds_the_parts_up(site: Site) -> None:
    """As if it had been one run."""
    _, log = site.run("--dask", "--workers", "2")

    rows = {line.split()[0]: line.split()[1:4] for line in log.splitlines() if " read " in line}
    assert rows == {
        "users": ["read", "1,000", "1,000"],
        "events": ["read", "2,000", "2,000"],
        "plain": ["read", "1,000", "1,000"],
    }


def test_dead_letters_come_home(site: Site) -> None:
    """From whatever worker to the file that the settings name, before the state says so."""
    site.collector.script([{"status": 400, "contains": '"userId":"7"', "times": None}])

    code, log = site.run("--dask", "--workers", "2")

    assert code == 0, log
    letters = [(letter["stream"], letter["record"]["userId"]) for letter in site.dead_letters]
    assert sorted(letters) == [("events", 7), ("events", 7), ("plain", 7), ("users", 7)]


def test_sync_that_is_not_due_has_no_part(site: Site) -> None:
    """Nor is a cluster started for nothing."""
    site.tap["syncs"] = [{**PARTITIONED, "frequency": "1h"}]
    site.run()
    site.collector.forget()

    code, log = site.run("--dask")

    assert (code, site.calls) == (0, [])
    assert "not due yet" in log
    assert "cluster=" not in log


def test_resync_reads_everything_again(site: Site) -> None:
    """As for the first time, with the messageIds of the first time."""
    site.run()
    first = site.calls
    site.collector.forget()

    code, log = site.run(
        "--dask", *("--resync", "users", "--resync", "events", "--resync", "plain")
    )

    assert code == 0, log
    assert site.calls == first


def test_two_drivers_exclude_each_other(site: Site) -> None:
    """By the lock in the database: the second has another state file, or another machine."""
    site.collector.script([{"delay_seconds": 1.0, "times": None}])
    first = site.start("--dask", "--workers", "1")
    site.collector.wait_for_requests(1)

    (site.folder / "other").mkdir()
    code, log = site.run("--state", "other/state.json")

    assert code == 0
    assert log.count("another run of it is not over") == 3
    first.send_signal(signal.SIGTERM)
    assert first.wait(timeout=60) == 143


def test_lost_worker_loses_no_row(site: Site) -> None:
    """Its part is done by another; repeats are identical."""
    site.tap["syncs"] = [PARTITIONED]
    site.run()
    expected = site.calls
    site.state_path.unlink()
    site.collector.forget()
    site.collector.script([{"delay_seconds": 0.05, "times": None}])
    process = site.start("--dask", "--workers", "2")
    site.collector.wait_for_requests(5)

    workers = _processes_of(process.pid, "spawn_main")
    os.kill(workers[-1], signal.SIGKILL)
    _, log = process.communicate(timeout=120)

    assert process.returncode == 0, log
    assert set(site.calls) == set(expected)


def test_killed_driver_loses_no_row_and_leaves_nobody_behind(site: Site) -> None:
    """What its tasks had begun ends soon; the next run does the parts that are not done."""
    site.tap["syncs"] = [PARTITIONED]
    site.run()
    expected = site.calls
    site.state_path.unlink()
    site.collector.forget()
    site.collector.script([{"delay_seconds": 0.2, "times": None}])
    process = site.start("--dask", "--workers", "2")
    site.collector.wait_for_requests(12)
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
    assert set(site.calls) == set(expected)
    assert set(site.state["bookmarks"]["users"]) == {"last_sync_time", "query_fingerprint"}


@pytest.fixture
def cluster(site: Site) -> Iterator[Cluster]:
    """A scheduler and two workers of their own, as on other machines."""
    with Cluster(site.folder) as cluster:
        yield cluster


class Cluster:
    """Processes of a cluster."""

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

    def add_workers(self, count: int, **environment: str) -> None:
        """Start workers with an environment of their own."""
        for _ in range(count):
            self._start(
                *("worker", self.address, "--nthreads", "1", "--no-dashboard"),
                *("--death-timeout", "5"),
                **environment,
            )

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()

    def _start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *words],
            cwd=self._folder,
            env={**os.environ, **environment},
            stderr=subprocess.PIPE if words[0] == "scheduler" else subprocess.DEVNULL,
            text=True,
        )
        self._processes.append(process)
        return process


def _secrets(site: Site) -> dict[str, str]:
    return {
        "TAP_MSSQL_QUERY_PASSWORD": PASSWORD,
        "TARGET_PIPELINES_WRITE_KEY": str(site.target["write_key"]),
    }


def test_workers_take_secrets_from_their_environment(site: Site, cluster: Cluster) -> None:
    """They are sent none."""
    site.tap["syncs"] = [PARTITIONED]
    cluster.add_workers(2, **_secrets(site))

    code, log = site.run("--dask", cluster.address)

    assert code == 0, log
    assert len(site.calls) == ROWS


def test_worker_without_secrets_says_so(site: Site, cluster: Cluster) -> None:
    """With the name of the variable, and before anything is read."""
    cluster.add_workers(1)

    code, log = site.run("--dask", cluster.address)

    assert code == 2, log
    assert "no environment variable TAP_MSSQL_QUERY_PASSWORD" in log
    assert site.calls == []


def test_failed_part_is_tried_on_another_worker(site: Site, cluster: Cluster) -> None:
    """One whose worker has a wrong key, which the destination refuses."""
    site.tap["syncs"] = [PARTITIONED]
    wrong = {**_secrets(site), "TARGET_PIPELINES_WRITE_KEY": "wrong"}
    cluster.add_workers(1, **wrong)
    cluster.add_workers(1, **_secrets(site))

    code, log = site.run("--dask", cluster.address, "--workers", "2")

    assert code == 0, log
    assert "Trying again on another worker" in log
    assert len({call for call, _ in site.calls}) == ROWS


def test_part_that_fails_everywhere_fails_its_sync_alone(site: Site) -> None:
    """After three attempts; the bookmark stays, the other syncs' move."""
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
    assert log.count("Trying again on another worker") >= 2
    assert "unfinished" in site.state["bookmarks"]["users"]
    assert set(site.state["bookmarks"]["others"]) == {"last_sync_time", "query_fingerprint"}
    assert " failed " in next(line for line in log.splitlines() if line.startswith(" users "))


def test_rate_holds_for_the_whole_cluster(site: Site) -> None:
    """Not for each task: 50 requests, 20 of them in a second, take more than two."""
    site.tap["syncs"] = [PARTITIONED]
    site.target["requests_per_second"] = 20

    code, log = site.run("--dask", "--workers", "4")

    assert code == 0, log
    moments = sorted(request.arrived_at for request in site.collector.requests)
    slots = 4  # each may send its first at once
    busiest = max(sum(start <= moment < start + 1 for moment in moments) for start in moments)
    assert len(moments) >= 50
    assert busiest <= 20 + slots


def test_killed_scheduler_loses_no_row(site: Site, cluster: Cluster) -> None:
    """The driver says that the cluster went away; the next run has the rest."""
    site.tap["syncs"] = [PARTITIONED]
    site.run()
    expected = site.calls
    site.state_path.unlink()
    site.collector.forget()
    site.collector.script([{"delay_seconds": 0.2, "times": None}])
    cluster.add_workers(2, **_secrets(site))
    process = site.start("--dask", cluster.address)
    site.collector.wait_for_requests(12)

    cluster.scheduler.kill()
    _, log = process.communicate(timeout=120)

    assert process.returncode == 4, log
    assert "scheduler went away" in log
    site.collector.script([])
    code, log = site.run()
    assert code == 0, log
    assert set(site.calls) == set(expected)


def test_cluster_that_is_not_there_is_said(site: Site) -> None:
    """Before anything is read."""
    code, log = site.run("--dask", "tcp://127.0.0.1:1")

    assert code == 4
    assert "does not answer" in log


def test_files_are_refused(site: Site) -> None:
    """Each worker would have its own."""
    site.target = {"destination": "file"}

    code, log = site.run("--dask")

    assert code == 2
    assert "without --dask" in log


def test_secrets_are_taken_out_and_put_in_again() -> None:
    """At any depth; what is left holds none of them."""
    config = {
        "password": "c4n4ry-1",
        "databases": {"crm-eu": {"host": "h", "password": "c4n4ry-2"}},
        "destinations": [{"name": "a", "write_key": "c4n4ry-3"}, {"write_key": "c4n4ry-4"}],
        "syncs": [{"name": "password"}],
    }

    without, secrets = take_out(config, "X")

    assert b"c4n4ry" not in pickle.dumps(without)
    assert secrets == {
        "X_PASSWORD": "c4n4ry-1",
        "X_DATABASES_CRM_EU_PASSWORD": "c4n4ry-2",
        "X_DESTINATIONS_A_WRITE_KEY": "c4n4ry-3",
        "X_DESTINATIONS_1_WRITE_KEY": "c4n4ry-4",
    }
    assert put_in(without, secrets) == config
