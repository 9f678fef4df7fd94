"""A lane: calls that wait for their turn, no more than a few batches."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

from target_pipelines.delivery.batching import CallQueue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_pipelines.api.calls import EncodedCall, Limits

MAX_BATCH_AGE_SECONDS = 1.0
"""A batch that is not full leaves when its first call has waited so long."""

_ROOM_BATCHES = 2
"""So much waits beside the batch that is on its way. More would be more to repeat after a kill: a
STATE passes when the slowest lane has come to it, whatever the others have sent by then."""
_MAX_ROOM_BYTES = 4 * 1024 * 1024


class Lane:
    """A queue between the thread that reads and the thread that sends.

    Holds two full batches at most, beyond what one `add` brings.
    """

    def __init__(self, limits: Limits, max_age_seconds: float = MAX_BATCH_AGE_SECONDS) -> None:
        self._max_age_seconds = max_age_seconds
        self._room_bytes = min(_ROOM_BATCHES * limits.batch_max_bytes, _MAX_ROOM_BYTES)
        self._room_calls = _ROOM_BATCHES * (limits.batch_max_calls or math.inf)
        self._waiting = CallQueue(limits)
        self._is_ended = False
        self._changed = threading.Condition()

    def add(self, calls: Sequence[EncodedCall]) -> None:
        """Put calls at the end."""
        if not calls:
            return
        with self._changed:
            was_empty = not self._waiting
            self._waiting.add(calls)
            if was_empty or self._is_ready():  # else nobody waits for this
                self._changed.notify_all()

    def wait_for_room(self, timeout_seconds: float) -> bool:
        """Wait until there is room for more; False if there is none in time."""
        with self._changed:
            return self._changed.wait_for(self._has_room, timeout_seconds)

    def end(self) -> None:
        """No more calls will come."""
        with self._changed:
            self._is_ended = True
            self._changed.notify_all()

    def clear(self) -> None:
        """Drop what waits, and let nobody wait any longer: the run stops."""
        with self._changed:
            self._waiting.clear()
            self._is_ended = True
            self._changed.notify_all()

    def take_batch(self) -> list[EncodedCall]:
        """The next batch, when it is full, old enough, or the last; empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_ended)
            self._changed.wait_for(self._is_ready, self._max_age_seconds)
            batch = self._waiting.take_batch()
            self._changed.notify_all()
            return batch

    def _has_room(self) -> bool:
        return self._waiting.bytes <= self._room_bytes and len(self._waiting) <= self._room_calls

    def _is_ready(self) -> bool:
        return self._is_ended or self._waiting.has_full_batch
