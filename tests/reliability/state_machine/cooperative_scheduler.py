"""One process of the target, in turns: its own delivery, with threads, clock and answers in hand.

What is replaced are `threading` and `time` where lanes use them, the pipe in front, and the
destination behind. Threads run one at a time, each until it waits, so that a sequence of actions
always has the same result; time passes when it is told to.
"""

from __future__ import annotations

import _thread
import contextlib
import io
import json
import os
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from target_pipelines.acknowledgements.report import RunReport
from target_pipelines.api.errors import Interrupted, PipelinesError
from target_pipelines.run.build import build_pipeline, print_state
from target_pipelines.run.pipeline import running
from target_pipelines.singer.line_reader import read_blocks

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from target_pipelines import EncodedCall, Limits, Outcome
    from target_pipelines.run.configuration import Configuration

Queue = list["_Thread"]
"""Threads that wait for the same thing."""


class _Killed(BaseException):
    """The process is gone; unwinds a thread that was waiting."""


class Turns:
    """Threads that take turns, and a clock.

    Attributes:
        now: seconds.
    """

    def __init__(self, dice: random.Random) -> None:
        self.now = 0.0
        self._dice = dice  # who is next, of those that can go on
        self._threads: list[_Thread] = []
        self._current: _Thread | None = None
        self._back = _taken_lock()

    @contextlib.contextmanager
    def replacing_threads(self) -> Iterator[None]:
        """While the block runs, lanes made by the target are of these threads."""
        threading = SimpleNamespace(
            Thread=self.new_thread, Event=partial(_Event, self), Condition=partial(_Condition, self)
        )
        time = SimpleNamespace(monotonic=lambda: self.now)
        with (
            patch("target_pipelines.delivery.lane.threading", threading),
            patch("target_pipelines.delivery.senders.threading", threading),
            patch("target_pipelines.delivery.senders.time", time),
        ):
            yield

    def new_thread(self, **options: Any) -> _Thread:
        """A thread, as `threading.Thread` makes one."""
        return _Thread(self, **options)

    # The machine's side

    def run(self) -> None:
        """Let all threads go on until each of them waits."""
        while ready := [thread for thread in self._threads if thread.is_ready]:
            self._resume(ready[0] if len(ready) == 1 else self._dice.choice(ready))

    def pass_time(self, seconds: float) -> None:
        """Move the clock; who has waited long enough goes on, late if need be."""
        self.now += seconds
        for thread in self._threads:
            if thread.until is not None and thread.until <= self.now:
                thread.is_ready = True
        self.run()

    def kill(self) -> None:
        """End all threads where they wait."""
        for thread in list(self._threads):
            thread.is_killed = True
            self._resume(thread)

    def _resume(self, thread: _Thread) -> None:
        self._current = thread
        thread.is_ready = False
        thread.baton.release()
        self._back.acquire()
        if thread.is_over:
            self._threads.remove(thread)

    # A thread's side

    def begin(self, thread: _Thread) -> None:
        """A thread was started: it waits for its first turn."""
        self._threads.append(thread)
        thread.is_ready = True

    def give_back(self) -> None:
        """The current thread's turn ends."""
        self._back.release()

    def wait_for(
        self, predicate: Callable[[], object], queue: Queue, timeout: float | None = None
    ) -> bool:
        """Wait in a queue until something is true; False if it is not in time."""
        until = None if timeout is None else self.now + timeout
        while not predicate():
            if until is not None and self.now >= until:
                return False
            self._suspend(queue, until)
        return True

    def _suspend(self, queue: Queue, until: float | None) -> None:
        thread = self._current
        assert thread is not None
        if not thread.is_killed:
            thread.until = until
            queue.append(thread)
            self._back.release()
            thread.baton.acquire()
            queue.remove(thread)
            thread.until = None
        if thread.is_killed:
            raise _Killed


def _taken_lock() -> _thread.LockType:
    lock = _thread.allocate_lock()
    lock.acquire()
    return lock


def _wake(queue: Queue) -> None:
    for thread in queue:
        thread.is_ready = True


class _Thread:
    """Stands for `threading.Thread`."""

    def __init__(
        self, turns: Turns, target: Callable[..., None], args: tuple[Any, ...] = (), **_: Any
    ) -> None:
        self._turns = turns
        self._act = partial(target, *args)
        self._joining: Queue = []
        self.baton = _taken_lock()
        self.until: float | None = None
        self.is_ready = self.is_killed = self.is_over = False

    def start(self) -> None:
        _thread.start_new_thread(self._run, ())
        self._turns.begin(self)

    def is_alive(self) -> bool:
        return not self.is_over

    def join(self, timeout: float | None = None) -> None:
        self._turns.wait_for(lambda: self.is_over, self._joining, timeout)

    def _run(self) -> None:
        self.baton.acquire()
        with contextlib.suppress(_Killed):
            if not self.is_killed:
                self._act()
        self.is_over = True
        _wake(self._joining)
        self._turns.give_back()


class _Event:
    """Stands for `threading.Event`."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._is_set = False
        self._waiting: Queue = []

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        _wake(self._waiting)

    def wait(self, timeout: float | None = None) -> bool:
        return self._turns.wait_for(self.is_set, self._waiting, timeout)


class _Condition:
    """Stands for `threading.Condition`; who is not notified does not look again."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._waiting: Queue = []

    def __enter__(self) -> None:
        """Nothing: nobody else runs until this thread waits."""

    def __exit__(self, *_: object) -> None:
        """Nothing, as above."""

    def notify_all(self) -> None:
        _wake(self._waiting)

    def wait_for(self, predicate: Callable[[], object], timeout: float | None = None) -> bool:
        return self._turns.wait_for(predicate, self._waiting, timeout)


@dataclass(eq=False)
class Request:
    """An attempt that waits for its answer."""

    sender: Sender
    calls: Sequence[EncodedCall]
    outcome: Outcome | None = None
    queue: Queue = field(default_factory=list)


class FarEnd:
    """A destination, as a plugin offers one; it answers when it is told to.

    Attributes:
        waiting: requests without an answer, in the order of their arrival.
    """

    event_schemas: Mapping[str, Mapping[str, Any]] = {}

    def __init__(
        self,
        turns: Turns,
        limits: Limits,
        max_lanes: int | None,
        arrive: Callable[[Request], None],
    ) -> None:
        self.limits = limits
        self.max_lanes = max_lanes
        self.turns = turns
        self.waiting: list[Request] = []
        self._arrive = arrive

    def open_sender(self) -> Sender:
        """A further connection."""
        return Sender(self)

    def receive(self, request: Request) -> Outcome:
        """Take a request, and wait until it has an answer."""
        self._arrive(request)
        self.waiting.append(request)
        self.turns.wait_for(lambda: request.outcome, request.queue)
        assert request.outcome is not None
        return request.outcome

    def answer(self, request: Request, outcome: Outcome) -> None:
        """Answer a request."""
        self.waiting.remove(request)
        request.outcome = outcome
        _wake(request.queue)
        self.turns.run()

    def close(self) -> None:
        """Nothing to free."""


class Sender:
    """A connection to the far end.

    Attributes:
        not_before: when it may send again.
    """

    def __init__(self, far_end: FarEnd) -> None:
        self._far_end = far_end
        self.not_before = 0.0

    def send(self, calls: Sequence[EncodedCall]) -> Outcome:
        """Make an attempt, and wait for its answer."""
        return self._far_end.receive(Request(self, calls))

    def close(self) -> None:
        """Nothing to free."""


class Process:
    """A run of the target, from its input to its end.

    Attributes:
        error: what ended it; None at a clean end.
        is_over: whether it has ended.
        report: its counts.
    """

    def __init__(
        self,
        turns: Turns,
        configuration: Configuration,
        write_state: Callable[[dict[str, Any]], None],
    ) -> None:
        self.error: BaseException | None = None
        self.is_over = False
        self.report = RunReport(lambda: turns.now)
        self._turns = turns
        self._signal: int | None = None
        self._given, self._is_closed = b"", False
        self._reading: Queue = []
        self._pipeline = build_pipeline(
            configuration,
            reports={configuration.settings.destination_name: self.report},
            write_state=partial(print_state, lambda data: write_state(json.loads(data))),
            check_interrupted=self._check_interrupted,
            shows_progress=False,
        )
        turns.new_thread(target=self._run).start()
        turns.run()

    def give(self, data: bytes) -> None:
        """Bytes come through the pipe."""
        self._given += data
        self._go_on()

    def close(self) -> None:
        """The pipe ends."""
        self._is_closed = True
        self._go_on()

    def terminate(self, number: int) -> None:
        """A signal comes."""
        self._signal = number
        self._go_on()

    def _go_on(self) -> None:
        _wake(self._reading)
        self._turns.run()

    def _run(self) -> None:
        """What the program does between its configuration and its summary."""
        try:
            with running(self._pipeline):
                for lines in read_blocks(self):  # type: ignore[arg-type]  # all that it asks for
                    self._pipeline.process(lines)
        except PipelinesError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - a bug: the machine says so
            self.error = error
        self.is_over = True

    def _check_interrupted(self) -> None:
        if self._signal is not None:
            raise Interrupted(self._signal)

    # What `read_blocks` asks of a file

    def fileno(self) -> int:
        """It has none."""
        raise io.UnsupportedOperation

    def read(self, count: int) -> bytes:
        """What has come; a signal ends the wait for it."""
        self._check_interrupted()
        self._turns.wait_for(
            lambda: self._given or self._is_closed or self._signal is not None, self._reading
        )
        self._check_interrupted()
        data, self._given = self._given[:count], self._given[count:]
        return data


class LetterFile:
    """The file of dead letters, on a disk that keeps what it was told to sync."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._synced = self._seen = 0

    @contextlib.contextmanager
    def replacing_fsync(self) -> Iterator[None]:
        """While the block runs, nothing waits for a real disk."""
        with patch("target_pipelines.acknowledgements.dead_letters.os", _Disk(self._sync)):
            yield

    def read_new(self) -> list[dict[str, Any]]:
        """Letters that have become safe since the last time."""
        if self._synced == self._seen:
            return []
        with self._path.open("rb") as file:
            file.seek(self._seen)
            lines = file.read(self._synced - self._seen).splitlines()
        self._seen = self._synced
        return [json.loads(line) for line in lines]

    def cut_power(self) -> None:
        """What was not synced is lost."""
        if self._path.exists():
            os.truncate(self._path, self._synced)

    def _sync(self, file: int) -> None:
        self._synced = os.fstat(file).st_size


class _Disk:
    """The module `os` with another `fsync`."""

    def __init__(self, fsync: Callable[[int], None]) -> None:
        self.fsync = fsync

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)
