"""Application locks: sp_getapplock and sp_releaseapplock, across sessions."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

GRANTED, GRANTED_AFTER_WAITING = 0, 1
TIMED_OUT, CANCELLED, INVALID = -1, -2, -999

_COMPATIBLE = {
    "intentshared": {"intentshared", "shared", "update", "intentexclusive"},
    "shared": {"intentshared", "shared", "update"},
    "update": {"intentshared", "shared"},
    "intentexclusive": {"intentshared", "intentexclusive"},
    "exclusive": set[str](),
}
MODES = frozenset(_COMPATIBLE)


@dataclass(frozen=True, slots=True)
class ApplicationLock:
    """A lock on a resource, in a mode, owned by a session or by its transaction."""

    resource: str
    mode: str
    session_id: int
    is_of_transaction: bool


@dataclass(slots=True)
class LockManager:
    """The application locks of all sessions; a resource is a database and a name."""

    _granted: list[ApplicationLock] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def acquire(
        self,
        wanted: ApplicationLock,
        timeout_seconds: float | None,
        is_cancelled: Callable[[], bool],
    ) -> int:
        """Wait for a lock, without a timeout if it is None; returns sp_getapplock's return code."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        with self._changed:
            result = GRANTED
            while not self._is_grantable(wanted):
                if is_cancelled():
                    return CANCELLED
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return TIMED_OUT
                self._changed.wait(left)
                result = GRANTED_AFTER_WAITING
            self._granted.append(wanted)
            return result

    def is_grantable(self, wanted: ApplicationLock) -> bool:
        """Whether the lock could be granted now."""
        with self._changed:
            return self._is_grantable(wanted)

    def _is_grantable(self, wanted: ApplicationLock) -> bool:
        compatible = _COMPATIBLE[wanted.mode]
        return all(
            hold.mode in compatible
            for hold in self._granted
            if hold.resource == wanted.resource and hold.session_id != wanted.session_id
        )

    def held_mode(self, resource: str, session_id: int) -> str | None:
        """The mode in which a session holds a resource; None if it does not."""
        with self._changed:
            modes = (
                h.mode
                for h in self._granted
                if (h.resource, h.session_id) == (resource, session_id)
            )
            return next(modes, None)

    def release(self, resource: str, session_id: int, *, of_transaction: bool) -> bool:
        """Release one lock; False if the session does not hold it."""
        with self._changed:
            for hold in self._granted:
                if (hold.resource, hold.session_id) == (resource, session_id) and (
                    hold.is_of_transaction == of_transaction
                ):
                    self._granted.remove(hold)
                    self._changed.notify_all()
                    return True
        return False

    def release_all(self, session_id: int, *, only_of_transaction: bool = False) -> None:
        """Release a session's locks when the session or its transaction ends."""
        with self._changed:
            self._granted = [
                hold
                for hold in self._granted
                if hold.session_id != session_id
                or (only_of_transaction and not hold.is_of_transaction)
            ]
            self._changed.notify_all()

    def wake(self) -> None:
        """Make waiting sessions check whether they were cancelled."""
        with self._changed:
            self._changed.notify_all()
