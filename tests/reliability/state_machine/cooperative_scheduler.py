"""Threads that run one at a time, and a clock that only the test advances.

They replace `threading` and `time` where the target's lanes use them. Each thread runs until it
waits, so that the same actions always have the same result.
"""

from __future__ import annotations

import _thread
import contextlib
import threading
import time
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from target_pipelines.delivery import lane, sender_pool
from tests.reliability.replacements import Replacements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

Queue = list["_Thread"]
"""Threads that wait for the same event."""


class _Killed(BaseException):
    """The process was killed; unwinds a thread that was waiting."""


class CooperativeScheduler:
    """Runs one thread at a time, each until it waits, and owns the clock.

    Attributes:
        now: the time, in seconds.
    """

    def __init__(self, random: Random) -> None:
        self.now = 0.0
        self._random = random  # chooses among the threads that are ready
        self._threads: list[_Thread] = []
        self._current: _Thread | None = None
        self._back = _taken_lock()

    @contextlib.contextmanager
    def replacing_threads(self) -> Iterator[None]:
        """While the block runs, the target's lanes use these threads and this clock."""
        own_threading = SimpleNamespace(
            Thread=self.new_thread, Event=partial(_Event, self), Condition=partial(_Condition, self)
        )
        own_time = SimpleNamespace(monotonic=lambda: self.now)
        with Replacements() as code:
            code.replace(lane, threading, own_threading)
            code.replace(sender_pool, threading, own_threading)
            code.replace(sender_pool, time, own_time)
            yield

    def new_thread(self, **options: Any) -> _Thread:
        """A thread, made as `threading.Thread` makes one."""
        return _Thread(self, **options)

    # Called by the state machine

    def run(self) -> None:
        """Run all threads until each of them waits."""
        while ready := [thread for thread in self._threads if thread.is_ready]:
            self._resume(ready[0] if len(ready) == 1 else self._random.choice(ready))

    def pass_time(self, seconds: float) -> None:
        """Advance the clock; threads whose timeout has passed go on."""
        self.now += seconds
        for thread in self._threads:
            if thread.until is not None and thread.until <= self.now:
                thread.is_ready = True
        self.run()

    def kill(self) -> None:
        """End all threads where they wait, as SIGKILL does."""
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

    # Called by the threads

    def begin(self, thread: _Thread) -> None:
        """Add a started thread; it runs when it is scheduled."""
        self._threads.append(thread)
        thread.is_ready = True

    def yield_control(self) -> None:
        """Return from the current thread to the state machine."""
        self._back.release()

    def wait_for(
        self, predicate: Callable[[], object], queue: Queue, timeout: float | None = None
    ) -> bool:
        """Wait in a queue until the predicate holds; False if the timeout passes first."""
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


def wake(queue: Queue) -> None:
    """Let the threads that wait in a queue check their predicates again."""
    for thread in queue:
        thread.is_ready = True


class _Thread:
    """Stands for `threading.Thread`."""

    def __init__(
        self,
        scheduler: CooperativeScheduler,
        target: Callable[..., None],
        args: tuple[Any, ...] = (),
        **_: Any,
    ) -> None:
        self._scheduler = scheduler
        self._act = partial(target, *args)
        self._joining: Queue = []
        self.baton = _taken_lock()
        self.until: float | None = None
        self.is_ready = self.is_killed = self.is_over = False

    def start(self) -> None:
        _thread.start_new_thread(self._run, ())
        self._scheduler.begin(self)

    def is_alive(self) -> bool:
        return not self.is_over

    def join(self, timeout: float | None = None) -> None:
        self._scheduler.wait_for(lambda: self.is_over, self._joining, timeout)

    def _run(self) -> None:
        self.baton.acquire()
        with contextlib.suppress(_Killed):
            if not self.is_killed:
                self._act()
        self.is_over = True
        wake(self._joining)
        self._scheduler.yield_control()


class _Event:
    """Stands for `threading.Event`."""

    def __init__(self, scheduler: CooperativeScheduler) -> None:
        self._scheduler = scheduler
        self._is_set = False
        self._waiting: Queue = []

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        wake(self._waiting)

    def wait(self, timeout: float | None = None) -> bool:
        return self._scheduler.wait_for(self.is_set, self._waiting, timeout)


class _Condition:
    """Stands for `threading.Condition`; a waiter checks again only when it is notified."""

    def __init__(self, scheduler: CooperativeScheduler) -> None:
        self._scheduler = scheduler
        self._waiting: Queue = []

    def __enter__(self) -> None:
        """Do nothing: no other thread runs until this one waits."""

    def __exit__(self, *_: object) -> None:
        """Do nothing, as above."""

    def notify_all(self) -> None:
        wake(self._waiting)

    def wait_for(self, predicate: Callable[[], object], timeout: float | None = None) -> bool:
        return self._scheduler.wait_for(predicate, self._waiting, timeout)
