"""A lane: a bounded queue of calls for one sender thread."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

from target_pipelines.delivery.batching import CallQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from target_pipelines.api.calls import EncodedCall, Limits

MAX_BATCH_AGE_SECONDS = 1.0
"""A batch that is not full is sent after this time."""

_ROOM_BATCHES = 2
"""Batches queued per lane besides the one in flight. More would mean more duplicates after a crash:
a STATE waits for the slowest lane, and the others send later calls in the meantime."""
_MAX_ROOM_BYTES = 4 * 1024 * 1024


class Lane:
    """A queue between the thread that reads and the thread that sends.

    Holds at most two full batches, plus the calls of one `add`.
    """

    def __init__(self, limits: Limits, max_age_seconds: float = MAX_BATCH_AGE_SECONDS) -> None:
        self._max_age_seconds = max_age_seconds
        self._room_bytes = min(_ROOM_BATCHES * limits.batch_max_bytes, _MAX_ROOM_BYTES)
        self._room_calls = _ROOM_BATCHES * (limits.batch_max_calls or math.inf)
        self._waiting = CallQueue(limits)
        self._in_flight: list[EncodedCall] = []
        self._is_ended = False
        self._is_draining = False
        self._changed = threading.Condition()

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return len(self._waiting)

    def calls(self) -> list[EncodedCall]:
        """The calls that wait, and those of the batch that is being sent."""
        with self._changed:
            return [*self._waiting, *self._in_flight]

    def change_waiting(self, change: Callable[[EncodedCall], None]) -> None:
        """Change the calls that wait; no thread takes them meanwhile."""
        with self._changed:
            for call in self._waiting:
                change(call)

    def add(self, calls: Sequence[EncodedCall]) -> None:
        """Append calls."""
        if not calls:
            return
        with self._changed:
            was_empty = not self._waiting
            self._waiting.add(calls)
            if was_empty or self._is_ready():  # otherwise no thread waits for this
                self._changed.notify_all()

    def wait_for_room(self, timeout_seconds: float) -> bool:
        """Wait for room; False if there is none in time."""
        with self._changed:
            return self._changed.wait_for(self._has_room, timeout_seconds)

    def hurry(self) -> None:
        """Send all that waits, in batches that are not full."""
        with self._changed:
            self._is_draining = bool(self._waiting)
            self._changed.notify_all()

    def drain(self, timeout_seconds: float) -> bool:
        """Wait until all calls are settled, in batches that are not full; False if not in time."""
        with self._changed:
            self.hurry()
            return self._changed.wait_for(
                lambda: not self._waiting and not self._in_flight, timeout_seconds
            )

    def end(self) -> None:
        """No more calls will be added."""
        with self._changed:
            self._is_ended = True
            self._changed.notify_all()

    def clear(self) -> None:
        """Discard all calls and wake all waiting threads, because the run stops."""
        with self._changed:
            self._waiting.clear()
            self._is_ended = True
            self._changed.notify_all()

    def take_batch(self) -> list[EncodedCall]:
        """Wait for the next batch: full, old enough or the last; empty at the end.

        The batch that was taken before is settled.
        """
        with self._changed:
            self._in_flight = []
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._waiting or self._is_ended)
            self._changed.wait_for(self._is_ready, self._max_age_seconds)
            batch = self._in_flight = self._waiting.take_batch()
            self._is_draining = self._is_draining and bool(self._waiting)
            self._changed.notify_all()
            return batch

    def _has_room(self) -> bool:
        return self._waiting.bytes <= self._room_bytes and len(self._waiting) <= self._room_calls

    def _is_ready(self) -> bool:
        return self._is_ended or self._is_draining or self._waiting.has_full_batch
