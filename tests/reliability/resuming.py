"""A first sync of many rows that is killed several times and resumes where it stopped."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import urllib.request
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.reliability import counting_api, numbered_table
from tests.reliability.long_run import ask_api, serving
from tests.reliability.numbered_rows import PASSWORD
from tests.reliability.numbered_table import QUERY
from tests.reliability.oracle import Verdict
from tests.reliability.registry import Soak, SoakRow, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

FRONT_DOOR = Path(sys.executable).with_name("mssql-reverse-etl")
FULL_ROWS = 1_000_000
KILLS_OF_A_SYNC = 5
FULL_SYNCS = 10
MOST_DRAWS = 4
"""How many syncs are tried at most until all kills have come in time."""
MOST_REPEATED = 0.05
"""The share of all rows that may be sent again after one kill."""
WAYS: Mapping[str, Mapping[str, Any]] = {
    "partitions": {"partition_column": "number", "partitions": 50},
    "order": {"order_column": "number"},
}
VICTIMS = ("all", "tap_mssql_query", "target_pipelines", "front door")
_RUN_SECONDS = 300
_POLL_SECONDS = 0.02


@dataclass(slots=True)
class ResumeResult:
    """The result of a sync that was killed.

    Attributes:
        verdict: over all rows.
        rows: the number of rows.
        kills: how many kills ended a run before it was complete.
        repeats: how many rows each run sent again.
        other_problems: what else is wrong.
    """

    verdict: Verdict
    rows: int
    kills: int = 0
    repeats: list[int] = field(default_factory=list)
    other_problems: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """Problems without a column in the table."""
        most = max(self.repeats, default=0)
        again = (
            [f"{most:,} rows were sent again by one run"]
            if most > MOST_REPEATED * self.rows
            else []
        )
        return [*self.other_problems, *again]


class _Site:
    """A folder with configurations in which `mssql-reverse-etl run` runs."""

    def __init__(self, folder: Path, server_port: int, api_port: int, way: str) -> None:
        self.folder = folder
        self.api_port = api_port
        tap = {"host": "127.0.0.1", "port": server_port, "database": "shop", "encrypt": "no"}
        sync = {"name": "numbered", "type": "identify", "query": QUERY, **WAYS[way]}
        tap |= {"username": "sa", "password": PASSWORD, "syncs": [sync]}
        target = {
            "destination": "customerio",
            "endpoint": f"http://127.0.0.1:{api_port}/v1",
            "write_key": "k",
            "batch_max_calls": 250,
        }
        for name, config in (("tap", tap), ("target", target)):
            (folder / f"{name}.json").write_text(json.dumps(config))

    def start(self) -> subprocess.Popen[bytes]:
        """Start a run as the leader of a process group."""
        command = [str(FRONT_DOOR), "run", "--tap", "tap.json", "--target", "target.json"]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [*command, "--state", "state.json"],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def count_arrived(self, rows: int) -> int:
        """How many of the rows have arrived."""
        missing: int = ask_api(self.api_port, 0, rows)["missing"]
        return rows - missing

    def verdict(self, rows: int) -> Verdict:
        """The verdict over everything that arrived; facts may get other ids in a new run."""
        found = ask_api(self.api_port, 0, rows)["verdict"]
        return Verdict(**{**found, "repeats_with_other_ids": 0})

    def expect_new_facts(self) -> None:
        """The next run reads everything from the start: facts get ids of their own in each run."""
        urllib.request.urlopen(
            urllib.request.Request(f"http://127.0.0.1:{self.api_port}/ids", method="DELETE")
        ).close()

    @property
    def is_complete(self) -> bool:
        """Whether a run has read and delivered everything: the next one has another window."""
        return bool(self._bookmark) and not self.is_unfinished

    @property
    def is_unfinished(self) -> bool:
        """Whether the next run resumes an interrupted one."""
        return "unfinished" in self._bookmark

    @property
    def _bookmark(self) -> dict[str, Any]:
        path = self.folder / "state.json"
        state = json.loads(path.read_text()) if path.exists() else {}
        bookmark: dict[str, Any] = state.get("bookmarks", {}).get("numbered", {})
        return bookmark


def run_resumed(folder: Path, *, way: str, rows: int, kills: int, seed: int) -> ResumeResult:
    """Kill a first sync up to `kills` times at random points, then let it finish.

    If a kill comes too late, the sync is complete. A further run would read, and send, all rows
    again in a new window, so there is none.
    """
    rng = random.Random(seed)
    points = sorted(rng.randrange(rows) for _ in range(kills))
    with (
        serving(numbered_table, rows) as server_port,
        serving(counting_api, rows, seed, 0) as api_port,
    ):
        site = _Site(folder, server_port, api_port, way)
        resumed = ResumeResult(Verdict(), rows)
        for point in points:
            _run_once(site, resumed, point, rng.choice(VICTIMS))
            if site.is_complete:
                break
            resumed.kills += 1
        else:
            _run_once(site, resumed, None)
        resumed.verdict = site.verdict(rows)
    if not site.is_complete:
        resumed.other_problems.append("the last run left the sync incomplete")
    return resumed


def draw_kills(
    make_folder: Callable[[], Path], *, way: str, rows: int, kills: int, rng: random.Random
) -> Iterator[tuple[int, ResumeResult]]:
    """Syncs that are killed `kills` times in all, with their seeds.

    Kills that came too late are drawn again, with another sync; at most `MOST_DRAWS` are tried.
    """
    for _ in range(MOST_DRAWS):
        seed = rng.randrange(10**9)
        done = run_resumed(make_folder(), way=way, rows=rows, kills=kills, seed=seed)
        yield seed, done
        kills -= done.kills
        if kills == 0:
            return


def _run_once(site: _Site, resumed: ResumeResult, point: int | None, victim: str = "") -> None:
    """Run once and note the result; with a point, the run is killed there."""
    if not site.is_unfinished:
        site.expect_new_facts()
    repeats = sum(resumed.repeats)
    code, was_killed = _run(site, resumed.rows, point, victim)
    resumed.repeats.append(site.verdict(resumed.rows).repeats - repeats)
    if code != 0 and not was_killed:
        resumed.other_problems.append(f"exit code {code}")


def _run(site: _Site, rows: int, point: int | None, victim: str) -> tuple[int, bool]:
    """Run once, and kill the run when `point` rows have arrived.

    Its exit code, and whether a process was killed: the run may end before that.
    """
    process = site.start()
    timer = threading.Timer(_RUN_SECONDS, os.killpg, (process.pid, signal.SIGKILL))
    timer.start()
    was_killed = False
    try:
        while point is not None and not was_killed and process.poll() is None:
            if site.count_arrived(rows) >= point:
                was_killed = _kill(process, victim)
            if not was_killed:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_POLL_SECONDS)
        code = process.wait()
        _wait_for_group(process.pid)
    finally:
        timer.cancel()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return code, was_killed


def _kill(process: subprocess.Popen[bytes], victim: str) -> bool:
    """Kill one of the three processes, or all; the others then end by themselves.

    False if the victim does not run, because it has not started yet or has ended.
    """
    with suppress(OSError):
        match victim:
            case "all":
                os.killpg(process.pid, signal.SIGKILL)
                return True
            case "front door":
                process.kill()
                return process.wait() == -signal.SIGKILL
    return any(_kill_program(number, victim) for number in _group(process.pid))


def _kill_program(number: int, module: str) -> bool:
    """Kill a process if it runs this module."""
    with suppress(OSError):
        if module in Path(f"/proc/{number}/cmdline").read_text().split("\0"):
            os.kill(number, signal.SIGKILL)
            return True
    return False


def _group(leader: int) -> Iterator[int]:
    """The processes of a process group."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ProcessLookupError):
            if os.getpgid(int(folder.name)) == leader:
                yield int(folder.name)


def _wait_for_group(leader: int) -> None:
    """Wait until no process of a group is left; one of them may still write the state."""
    never = threading.Event()
    while any(True for _ in _group(leader)):
        never.wait(_POLL_SECONDS)


def soak(soak: Soak) -> Iterable[SoakRow]:
    """Syncs of a million rows, each killed several times; too many repeats are a failure."""
    rng = soak.rng("resuming")
    rows = soak.count(FULL_ROWS)
    for way in WAYS:
        tally = Tally(f"first sync of {rows:,} rows, killed and resumed ({way})")
        most: deque[int] = deque([0], maxlen=1)
        for _ in range(soak.count(FULL_SYNCS) // len(WAYS) or 1):
            tally.add(cases=KILLS_OF_A_SYNC, faults=0)
            for seed, done in draw_kills(
                lambda: soak.make_programs().folder,
                way=way,
                rows=rows,
                kills=KILLS_OF_A_SYNC,
                rng=rng,
            ):
                has_full_rows = rows == FULL_ROWS  # of fewer rows, one block is a larger share
                problems = done.problems if has_full_rows else done.other_problems
                tally.add(cases=0, faults=done.kills, verdict=done.verdict, failed=len(problems))
                most.append(max(most[0], *done.repeats))
                soak.show_progress(f"{tally.scenario}: {tally.faults}")
                for problem in [*problems, *done.verdict.violations.items()]:
                    soak.report(f"{tally.scenario}, seed {seed}: {problem}")
        tally.scenario += f"; at most {most[0]:,} rows sent again after one kill"
        yield tally.row()
