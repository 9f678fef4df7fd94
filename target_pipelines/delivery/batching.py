"""Calls → batches: as many as fit, counted in the exact bytes on the wire. Pure."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import TYPE_CHECKING

import msgspec

from target_pipelines.singer.line_reader import lines_of

if TYPE_CHECKING:
    from collections.abc import Sequence


class EncodedCall(msgspec.Struct, gc=False):
    """A call, ready to send.

    Attributes:
        body: its JSON.
        stream: the stream of its record.
        call_type: the name of its type.
        person: whom it is about; calls about the same keep their order.
        epoch: the stretch of input between two STATEs that its record came in; see `acks`.
        block: Singer lines, of which one is its record's: for the dead letter that it may become.
        number: which of them, without the blank ones.
    """

    body: bytes
    stream: str
    call_type: str
    person: str
    epoch: int
    block: bytes = b""
    number: int = 0

    @property
    def line(self) -> bytes:
        """The Singer line of its record; empty if there is none."""
        return lines_of(self.block)[self.number] if self.block else b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a destination takes.

    `envelope_bytes` are added once to each batch, `separator_bytes` between two calls.
    """

    call_max_bytes: int
    batch_max_bytes: int
    batch_max_calls: int | None = None
    envelope_bytes: int = 0
    separator_bytes: int = 1
    requests_per_second: float | None = None


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
