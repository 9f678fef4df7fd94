"""Calls → batches: as many as fit, counted in the exact bytes on the wire. Pure."""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import accumulate, islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_pipelines.api.calls import EncodedCall, Limits


def bytes_of(calls: Sequence[EncodedCall]) -> int:
    """Bytes of the calls' bodies."""
    return sum([len(call.body) for call in calls])


class CallQueue:
    """Calls that wait for their turn in a batch; not safe for several threads.

    Attributes:
        bytes: of the bodies that wait, with a separator after each.
    """

    def __init__(self, limits: Limits, calls: Sequence[EncodedCall] = ()) -> None:
        self._limits = limits
        self._room_bytes = limits.batch_max_bytes - limits.envelope_bytes + limits.separator_bytes
        self._calls: list[EncodedCall] = []
        self._ends: list[int] = []  # where each call ends, in the bytes of all that ever came
        self._start = 0
        self.add(calls)

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def bytes(self) -> int:
        """Bytes that wait."""
        return self._ends[-1] - self._start if self._ends else 0

    @property
    def has_full_batch(self) -> bool:
        """Whether waiting longer would not make the next batch any larger."""
        most_calls = self._limits.batch_max_calls or math.inf
        return self.bytes >= self._room_bytes or len(self) >= most_calls

    def add(self, calls: Sequence[EncodedCall]) -> None:
        """Put calls at the end."""
        separator_bytes = self._limits.separator_bytes
        sizes = [len(call.body) + separator_bytes for call in calls]
        self._calls += calls
        self._ends += islice(accumulate(sizes, initial=self._start + self.bytes), 1, None)

    def take_batch(self) -> list[EncodedCall]:
        """Take calls from the front: at least one if there is any, and no more than one batch."""
        count = max(bisect_right(self._ends, self._start + self._room_bytes), 1)
        if self._limits.batch_max_calls is not None:
            count = min(count, self._limits.batch_max_calls)
        batch = self._calls[:count]
        if batch:
            self._start = self._ends[len(batch) - 1]
        del self._calls[:count], self._ends[:count]
        return batch

    def clear(self) -> None:
        """Drop what waits."""
        self._calls, self._ends = [], []


def split_batch(batch: list[EncodedCall]) -> tuple[list[EncodedCall], list[EncodedCall]]:
    """Both halves of a batch of two or more."""
    middle = len(batch) // 2
    return batch[:middle], batch[middle:]
