"""One run over millions of rows with failing responses: complete, in constant memory."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.packaging.conftest import ROOT
from tests.reliability import counting_api, numbered_rows
from tests.reliability.numbered_rows import PASSWORD, query_of
from tests.reliability.oracle import SeenRun, Verdict, count_uncounted
from tests.reliability.registry import Soak, SoakRow, Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

    from tests.reliability.programs import Program
    from tests.reliability.single_runs import Programs

SYNCS = 10
FULL_ROWS = 5_000_000
GROWTH = 1.1
"""The factor by which peak memory may grow after the first sync."""
MIN_ROWS_FOR_MEMORY = 100_000
"""Rows per sync from which on memory is checked; with fewer, queues are not full."""
RUN_SECONDS = 1200
_SAMPLE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class LongRun:
    """The result of a long run.

    Attributes:
        verdict: over all rows, according to the API and the report.
        failures: the number of failed requests.
        megabytes: peak memory of the tap and the target, after the first sync and at the end.
        exit_codes: of tap and target.
    """

    verdict: Verdict
    failures: int
    megabytes: dict[str, tuple[float, float]]
    exit_codes: tuple[int | None, int | None]

    def find_problems(self, rows: int) -> list[str]:
        """Problems without a column in the table."""
        problems = [] if self.exit_codes == (0, 0) else [f"exit codes {self.exit_codes}"]
        if rows // SYNCS >= MIN_ROWS_FOR_MEMORY:
            problems += [
                f"the {name} grew from {first:.0f} to {last:.0f} MB"
                for name, (first, last) in self.megabytes.items()
                if last > first * GROWTH
            ]
        return problems


class _Peaks:
    """Samples the peak memory of running programs; a context manager."""

    def __init__(self, programs: dict[str, Program]) -> None:
        self._programs = programs
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.now = dict.fromkeys(programs, 0.0)

    def __enter__(self) -> _Peaks:
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            self._sample()

    def _sample(self) -> None:
        for name, program in self._programs.items():
            with contextlib.suppress(OSError, StopIteration):  # the program has ended
                self.now[name] = _peak_megabytes(program.process_id)


def _peak_megabytes(number: int) -> float:
    lines = Path(f"/proc/{number}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) / 1024


@contextlib.contextmanager
def serving(module: ModuleType, *arguments: int) -> Iterator[int]:
    """Run a server module in a process of its own; its port."""
    command = [sys.executable, "-m", module.__name__, *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as process:
        assert process.stdout
        yield int(process.stdout.readline())
        # Leaving the context closes stdin, and the server ends.


def run_long(programs: Programs, rows: int, seed: int) -> LongRun:
    """Read `rows` rows, a multiple of ten, in ten syncs and deliver them."""
    with (
        serving(numbered_rows, SYNCS, rows // SYNCS) as server_port,
        serving(counting_api, rows, seed) as api_port,
    ):
        _write_settings(programs.folder, server_port, api_port)
        return _run(programs, rows, api_port)


def _run(programs: Programs, rows: int, api_port: int) -> LongRun:
    target_in, tap_out = os.pipe()
    states, target_out = os.pipe()
    folder = programs.folder
    started: dict[str, Program] = {}
    with (folder / "log").open("ab") as log, Path(os.devnull).open("rb") as nothing:
        for name, source, sink in (
            ("target", target_in, target_out),
            ("tap", nothing.fileno(), tap_out),
        ):
            files = (source, sink, log.fileno())
            arguments = ["--config", f"{name}.json"]
            started[name] = programs.fork_server.start(name, arguments, folder=folder, files=files)
    for end in (target_in, tap_out, target_out):
        os.close(end)
    timer = threading.Timer(RUN_SECONDS, started["target"].kill)
    timer.start()
    try:
        with _Peaks(started) as peaks:
            premature, first = _follow_states(states, rows // SYNCS, api_port, peaks)
            exit_codes = (started["tap"].wait(RUN_SECONDS), started["target"].wait(RUN_SECONDS))
    finally:
        timer.cancel()
        for program in started.values():
            program.kill()
    seen = ask_api(api_port, 0, rows)
    verdict = Verdict(**seen["verdict"]) + Verdict(
        premature_states=premature, uncounted=_count_uncounted(folder, rows)
    )
    megabytes = {name: (first.get(name, 0.0), peaks.now[name]) for name in started}
    return LongRun(verdict, seen["failures"], megabytes, exit_codes)


def _follow_states(
    states: int, rows: int, api_port: int, peaks: _Peaks
) -> tuple[int, dict[str, float]]:
    """The number of premature STATEs, and the memory peaks after the first sync."""
    premature, first = 0, dict[str, float]()
    with os.fdopen(states) as lines:
        for line in lines:
            for name, mark in json.loads(line).get("bookmarks", {}).items():
                if "last_sync_time" in mark:
                    start = int(name.removeprefix("numbered_")) * rows
                    premature += ask_api(api_port, start, start + rows)["missing"] > 0
                    first = first or dict(peaks.now)
    return premature, first


def ask_api(port: int, first: int, end: int) -> dict[str, Any]:
    """The verdict of the counting API, and how many of the rows in a range are missing."""
    url = f"http://127.0.0.1:{port}/?first={first}&end={end}"
    with urllib.request.urlopen(url) as response:
        verdict: dict[str, Any] = json.load(response)
    return verdict


def _count_uncounted(folder: Path, rows: int) -> int:
    path = folder / "report.json"
    if not path.exists():
        return rows
    return count_uncounted(SeenRun(0, [json.loads(path.read_text())["streams"]], rows))


def _write_settings(folder: Path, server_port: int, api_port: int) -> None:
    syncs = [
        {"name": f"numbered_{sync}", "type": "identify", "query": query_of(sync)}
        for sync in range(SYNCS)
    ]
    tap = {"host": "127.0.0.1", "port": server_port, "database": "shop", "encrypt": "no"}
    tap |= {"username": "sa", "password": PASSWORD, "syncs": syncs}
    target = {
        "destination": "customerio",
        "endpoint": f"http://127.0.0.1:{api_port}/v1",
        "write_key": "k",
        "batch_max_calls": 250,
        "concurrency": 8,
        "requests_per_second": 5000,
        "report_path": "report.json",
    }
    (folder / "tap.json").write_text(json.dumps(tap))
    (folder / "target.json").write_text(json.dumps(target))


def soak(soak: Soak) -> Iterable[SoakRow]:
    """The rows are the cases; failed requests are the faults."""
    rows = max(soak.count(FULL_ROWS) // SYNCS, 1) * SYNCS
    tally, seed = Tally(f"{rows:,} rows in one run"), soak.rng("long run").randrange(10**9)
    soak.show_progress(tally.scenario)
    done = run_long(soak.make_programs(), rows, seed)
    problems = done.find_problems(rows)
    peaks = (f"{name} {first:.0f} → {last:.0f}" for name, (first, last) in done.megabytes.items())
    tally.scenario += f" (peaks in MB: {', '.join(peaks)})"
    tally.add(cases=rows, faults=done.failures, verdict=done.verdict, failed=len(problems))
    for problem in [*problems, *map(str, done.verdict.violations.items())]:
        soak.report(f"long run, seed {seed}: {problem}")
    yield tally.row()
