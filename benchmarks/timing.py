"""Whole commands, timed in turns, so that what the machine does meanwhile hits all alike."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import resource
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Command:
    """What is timed: a program and where it reads from."""

    words: Sequence[str]
    stdin: Path | None = None


@dataclass(frozen=True)
class Comparison:
    """The best time of a command and of its baseline, in seconds, over so many rows."""

    name: str
    rows: int
    seconds: float
    baseline_seconds: float
    peak_megabytes: float

    @property
    def ratio(self) -> float:
        """Speed of the command, the baseline's being 1."""
        return self.baseline_seconds / self.seconds


def compare(name: str, rows: int, command: Command, baseline: Command, rounds: int) -> Comparison:
    """Time both in turns; the best of each counts. Raises CalledProcessError."""
    times: dict[str, list[float]] = {"command": [], "baseline": []}
    peak = 0.0
    for _ in range(rounds):
        times["baseline"].append(_time(baseline)[0])
        seconds, megabytes = _time(command)
        times["command"].append(seconds)
        peak = max(peak, megabytes)
    return Comparison(name, rows, min(times["command"]), min(times["baseline"]), peak)


def _time(command: Command) -> tuple[float, float]:
    """Seconds and peak megabytes of a run."""
    started = time.perf_counter()
    stdin = command.stdin.open("rb") if command.stdin else subprocess.DEVNULL
    process = subprocess.Popen(
        command.words, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    log = process.stderr.read()
    _, status, usage = _wait(process)
    seconds = time.perf_counter() - started
    if status != 0:
        raise subprocess.CalledProcessError(status, command.words, stderr=log)
    return seconds, usage.ru_maxrss / 1024


def _wait(process: subprocess.Popen[bytes]) -> tuple[int, int, resource.struct_rusage]:

    pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return pid, process.returncode, usage
