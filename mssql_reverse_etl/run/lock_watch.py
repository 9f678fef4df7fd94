"""Watches the locks of a run: whoever gets a lost one may begin to send, so this run stops."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.errors import LockUnproved
from program_kit.exit_codes import worst_exit_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

ASK_SECONDS = 5.0
"""Between two questions, which also keep firewalls from dropping an idle connection."""
PATIENCE_SECONDS = 20.0
"""How long after the last answer a lock may go unproved, so that no slow answer stops a run.

SQL Server gives the locks of a client that has gone silent to others after about 35 s: it sends a
keep-alive after 30 s without a packet, and five more. Source: "Understand special TCP/IP property
Keep Alive". A target that is asked to stop needs at most five seconds for requests in flight.
"""
_MIN_WAIT_SECONDS = 2.0
"""Time for an answer when the patience is over because this machine was suspended."""
_RETRY_SECONDS = 1.0
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""A clock that goes on while the machine is suspended, where there is one."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedLock:
    """A lock that can be lost while it is held.

    Attributes:
        protects: what only its holder may do, for the log.
        syncs: the syncs that fail if it is lost.
        exit_code: of a run that lost it.
        find_loss: waits so many seconds for a proof; returns how the lock was lost, None if it is
            held. Raises LockUnproved if neither is known.
    """

    protects: str
    syncs: Sequence[str]
    exit_code: int
    find_loss: Callable[[float], str | None]


class LockWatch(contextlib.AbstractContextManager["LockWatch"]):
    """Calls `stop` once, from another thread, when a lock is lost during the block.

    Each lock has a thread of its own, which alone uses the lock's connection during the block.

    Attributes:
        losses: the syncs whose lock was lost, and how.
        exit_code: the worst exit code of the lost locks; 0 if none was lost.
    """

    def __init__(
        self,
        locks: Iterable[WatchedLock],
        stop: Callable[[], object],
        *,
        clock: Callable[[], float] = lambda: time.clock_gettime(_CLOCK),
    ) -> None:
        self._stop = stop
        self._clock = clock
        self._ended = threading.Event()
        self._reporting = threading.Lock()
        self._threads = [
            threading.Thread(target=self._watch, args=(lock,), name="lock watch", daemon=True)
            for lock in locks
        ]
        self.losses: dict[str, str] = {}
        self.exit_code = 0

    def __enter__(self) -> LockWatch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(_MIN_WAIT_SECONDS)  # one that waits for an answer is left

    @property
    def has_lost(self) -> bool:
        """Whether a lock was lost."""
        return self.exit_code != 0

    def _watch(self, lock: WatchedLock) -> None:
        try:
            loss = self._wait_for_loss(lock)
        except BaseException:
            self._report(lock, "it can no longer be watched, because of a bug")
            raise
        if loss is not None:
            self._report(lock, loss)

    def _wait_for_loss(self, lock: WatchedLock) -> str | None:
        """How the lock was lost; None at the end of the block."""
        loss, proved_at = None, self._clock()
        while loss is None and not self._ended.is_set():
            loss = self._prove(lock, proved_at + PATIENCE_SECONDS)
            proved_at = self._clock()
            self._ended.wait(0 if loss else ASK_SECONDS)
        return loss

    def _prove(self, lock: WatchedLock, deadline: float) -> str | None:
        """Ask until there is an answer: how the lock was lost, or None."""
        while not self._ended.is_set():
            try:
                return lock.find_loss(max(deadline - self._clock(), _MIN_WAIT_SECONDS))
            except LockUnproved as error:
                if self._clock() >= deadline:
                    return str(error)
            self._ended.wait(_RETRY_SECONDS)
        return None

    def _report(self, lock: WatchedLock, loss: str) -> None:
        with self._reporting:
            if self._ended.is_set():  # the connection may be lost then
                return
            is_first = not self.has_lost
            self.losses.update(dict.fromkeys(lock.syncs, f"Its lock was lost: {loss}."))
            self.exit_code = worst_exit_code([self.exit_code, lock.exit_code])
            logger.error(
                "The lock of %s is lost: %s. Another run may begin now, so this one stops and "
                "sends nothing new. Remove the cause; the next run continues from the last state.",
                lock.protects,
                loss,
            )
            if is_first:
                self._stop()
