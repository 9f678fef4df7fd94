"""Whole commands, timed in turns, so that what the machine does meanwhile hits all alike."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import resource
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_SPLICE_BYTES = 1024 * 1024


class Feed(NamedTuple):
    """Singer lines for stdin: a file whose records, all but its first and last line, are repeated.

    Fed through a pipe without a copy, so that millions of records need no file of their size.
    """

    path: Path
    times: int


@dataclass(frozen=True)
class Command:
    """What is timed: a program, how many rows and values it handles, and where it reads from."""

    words: Sequence[str]
    rows: int = 0
    columns: int = 12
    stdin: Path | Feed | None = None
    pipe_to: Sequence[str] | None = None
    """Another program, which reads what this one writes."""


@dataclass(frozen=True)
class Run:
    """What one run of a command took; memory is that of its largest process."""

    seconds: float
    cpu_seconds: float
    peak_megabytes: float


Runs = dict[str, list[Run]]


def run_in_turns(commands: Mapping[str, Command], rounds: int, advance: Callable[[], None]) -> Runs:
    """Run every command once in each round. Raises CalledProcessError."""
    runs: Runs = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(run_once(command))
            advance()
    return runs


def run_once(command: Command) -> Run:
    """Run a command to its end. Raises CalledProcessError, with what it wrote to stderr."""
    with ExitStack() as stack:
        started = time.perf_counter()
        processes = list(_start(command, stack))
        logs = [_drain(process) for process in processes]
        usages = [_wait(process) for process in processes]
        seconds = time.perf_counter() - started
        for process, log in zip(processes, logs, strict=True):
            log.join()
            if process.returncode != 0:
                raise subprocess.CalledProcessError(
                    process.returncode, command.words, stderr=log.text.decode(errors="replace")
                )
    return Run(
        seconds,
        sum(usage.ru_utime + usage.ru_stime for usage in usages),
        max(usage.ru_maxrss for usage in usages) / 1024,
    )


def _start(command: Command, stack: ExitStack) -> Sequence[subprocess.Popen[bytes]]:
    stdin = _open_stdin(command.stdin, stack)
    if command.pipe_to is None:
        return [_popen(command.words, stdin, subprocess.DEVNULL)]
    first = _popen(command.words, stdin, subprocess.PIPE)
    assert first.stdout is not None
    with first.stdout:
        return [first, _popen(command.pipe_to, first.stdout.fileno(), subprocess.DEVNULL)]


def _popen(words: Sequence[str], stdin: int, stdout: int) -> subprocess.Popen[bytes]:
    # A proxy would stand between the programs and the servers on this machine.
    environment = {
        name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")
    }
    return subprocess.Popen(
        words, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, env=environment
    )


def _open_stdin(source: Path | Feed | None, stack: ExitStack) -> int:
    if source is None:
        return subprocess.DEVNULL
    if not isinstance(source, Feed):
        return stack.enter_context(source.open("rb")).fileno()
    reading, writing = os.pipe()
    feeder = threading.Thread(target=_feed, args=(source, writing))
    feeder.start()
    stack.callback(feeder.join)
    stack.callback(os.close, reading)
    return reading


def _feed(feed: Feed, pipe: int) -> None:
    try:
        with feed.path.open("rb") as file:
            begin, end, size = _record_bounds(feed.path)
            _splice(file.fileno(), pipe, 0, begin)
            for _ in range(feed.times):
                _splice(file.fileno(), pipe, begin, end)
            _splice(file.fileno(), pipe, end, size)
    except BrokenPipeError:
        pass  # The program ended early; its exit code tells.
    finally:
        os.close(pipe)


def _record_bounds(path: Path) -> tuple[int, int, int]:
    """Where the second line begins, where the last one does, and the size."""
    size = path.stat().st_size
    with path.open("rb") as file:
        begin = len(file.readline())
        file.seek(max(0, size - _SPLICE_BYTES))
        tail = file.read()
    return begin, size - len(tail) + tail.rindex(b"\n", 0, -1) + 1, size


def _splice(source: int, pipe: int, position: int, end: int) -> None:
    while position < end:
        position += os.splice(source, pipe, min(end - position, _SPLICE_BYTES), position)


class _Log(threading.Thread):
    """Reads a process's stderr, so that it never waits for a reader."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(daemon=True)
        self._process = process
        self.text = b""

    def run(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stderr:
            self.text = stderr.read()


def _drain(process: subprocess.Popen[bytes]) -> _Log:
    log = _Log(process)
    log.start()
    return log


def _wait(process: subprocess.Popen[bytes]) -> resource.struct_rusage:
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage
