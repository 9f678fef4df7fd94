"""Calls → batches: as many as fit, counted in the exact bytes on the wire. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Sequence


class EncodedCall(msgspec.Struct, gc=False):
    """A call, ready to send.

    Attributes:
        body: its JSON.
        stream: the stream of its record.
        call_type: the name of its type.
        person: whom it is about; calls about the same keep their order.
        epoch: the stretch of input between two STATEs that its record came in; see `acks`.
        line: the Singer line of its record, kept for the dead letter that it may become.
    """

    body: bytes
    stream: str
    call_type: str
    person: str
    epoch: int
    line: bytes = b""


_body_of = attrgetter("body")


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
    return sum(map(len, map(_body_of, calls)))


def take_batch(waiting: deque[EncodedCall], limits: Limits) -> list[EncodedCall]:
    """Take calls from the front: at least one, and no more than fit in one batch."""
    room = limits.batch_max_bytes - limits.envelope_bytes + limits.separator_bytes
    separator_bytes = limits.separator_bytes
    count = 0
    for call in waiting:
        room -= separator_bytes + len(call.body)
        if room < 0 or count == limits.batch_max_calls:
            break
        count += 1
    return [waiting.popleft() for _ in range(max(count, 1))]


def split_batch(batch: list[EncodedCall]) -> tuple[list[EncodedCall], list[EncodedCall]]:
    """Both halves of a batch of two or more."""
    middle = len(batch) // 2
    return batch[:middle], batch[middle:]
