"""Calls → batches: as many calls as fit, by their exact bytes on the wire. Pure."""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import accumulate, islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from target_pipelines.api.calls import EncodedCall, Limits


def total_bytes(calls: Sequence[EncodedCall]) -> int:
    """Total bytes of the calls' bodies."""
    return sum([len(call.body) for call in calls])


def bytes_by_stream(calls: Sequence[EncodedCall]) -> dict[str, int]:
    """Total bytes of each stream's calls; fast for the usual case of a single one."""
    streams = {call.stream for call in calls}
    if len(streams) == 1:
        return {streams.pop(): total_bytes(calls)}
    sizes = dict.fromkeys(sorted(streams), 0)
    for call in calls:
        sizes[call.stream] += len(call.body)
    return sizes


class CallQueue:
    """Calls that wait for a batch; not thread-safe.

    Attributes:
        bytes: size of the waiting bodies, each with a separator.
    """

    def __init__(self, limits: Limits, calls: Sequence[EncodedCall] = ()) -> None:
        self._limits = limits
        self._room_bytes = limits.batch_max_bytes - limits.envelope_bytes + limits.separator_bytes
        self._calls: list[EncodedCall] = []
        self._ends: list[int] = []  # where each call ends, in the bytes of all calls ever added
        self._start = 0
        self.add(calls)

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[EncodedCall]:
        return iter(self._calls)

    @property
    def bytes(self) -> int:
        """Size of the waiting bodies."""
        return self._ends[-1] - self._start if self._ends else 0

    @property
    def has_full_batch(self) -> bool:
        """Whether more calls would not make the next batch larger."""
        most_calls = self._limits.batch_max_calls or math.inf
        return self.bytes >= self._room_bytes or len(self) >= most_calls

    def add(self, calls: Sequence[EncodedCall]) -> None:
        """Append calls."""
        separator_bytes = self._limits.separator_bytes
        sizes = [len(call.body) + separator_bytes for call in calls]
        self._calls += calls
        self._ends += islice(accumulate(sizes, initial=self._start + self.bytes), 1, None)

    def take_batch(self) -> list[EncodedCall]:
        """Remove and return the next batch: as many calls as fit, at least one if any waits."""
        count = max(bisect_right(self._ends, self._start + self._room_bytes), 1)
        if self._limits.batch_max_calls is not None:
            count = min(count, self._limits.batch_max_calls)
        batch = self._calls[:count]
        if batch:
            self._start = self._ends[len(batch) - 1]
        del self._calls[:count], self._ends[:count]
        return batch

    def clear(self) -> None:
        """Discard all calls."""
        self._calls, self._ends = [], []


def split_batch(batch: list[EncodedCall]) -> tuple[list[EncodedCall], list[EncodedCall]]:
    """Both halves of a batch of two or more calls."""
    middle = len(batch) // 2
    return batch[:middle], batch[middle:]
