"""Times whole commands in turns, so that other load on the machine affects all of them equally."""

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
    """Singer messages for stdin: a file whose lines between the first and the last are repeated.

    They are spliced into a pipe, so that millions of records need no file of that size.
    """

    path: Path
    times: int


@dataclass(frozen=True)
class Command:
    """A program to time, the number of rows and columns it handles, and its input."""

    argv: Sequence[str]
    rows: int = 0
    columns: int = 12
    stdin: Path | Feed | None = None
    pipe_to: Sequence[str] | None = None
    """Another program, which reads this one's stdout."""


@dataclass(frozen=True)
class Run:
    """Time and memory of one run of a command; memory is that of its largest process."""

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
    """Run a command to its end. Raises CalledProcessError with its stderr."""
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
                    process.returncode, command.argv, stderr=log.text.decode(errors="replace")
                )
    return Run(
        seconds,
        sum(usage.ru_utime + usage.ru_stime for usage in usages),
        max(usage.ru_maxrss for usage in usages) / 1024,
    )


def _start(command: Command, stack: ExitStack) -> Sequence[subprocess.Popen[bytes]]:
    stdin = _open_stdin(command.stdin, stack)
    if command.pipe_to is None:
        return [_popen(command.argv, stdin, subprocess.DEVNULL)]
    first = _popen(command.argv, stdin, subprocess.PIPE)
    assert first.stdout is not None
    with first.stdout:
        return [first, _popen(command.pipe_to, first.stdout.fileno(), subprocess.DEVNULL)]


def _popen(argv: Sequence[str], stdin: int, stdout: int) -> subprocess.Popen[bytes]:
    # Without proxies: all servers are on this machine.
    environment = {
        name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")
    }
    return subprocess.Popen(
        argv, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, env=environment
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
        pass  # the program ended early; its exit code is checked
    finally:
        os.close(pipe)


def _record_bounds(path: Path) -> tuple[int, int, int]:
    """The offsets of the second and of the last line, and the size of the file."""
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
    """Reads a process's stderr, so that the process never blocks on a full pipe."""

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
