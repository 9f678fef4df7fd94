"""Encoded calls, and the limits of a destination."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import msgspec


class EncodedCall(msgspec.Struct, gc=False):
    """A call that is ready to send.

    Attributes:
        body: its JSON.
        stream: the stream of its RECORD.
        call_type: the name of its type.
        ordering_key: calls with the same one are delivered in the order of their rows.
        epoch: the part of the input, between two STATEs, that its RECORD arrived in.
        block: Singer lines that contain its RECORD, for a dead letter.
        number: the index of its line, not counting blank lines.
        position: of its RECORD in its stream, from 0; None if it is unknown.
    """

    body: bytes
    stream: str
    call_type: str
    ordering_key: str
    epoch: int
    block: bytes = b""
    number: int = 0
    position: int | None = None

    @property
    def line(self) -> bytes:
        """The Singer line of its RECORD; empty if there is none."""
        return lines_of(self.block)[self.number] if self.block else b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a destination.

    `envelope_bytes` are added once to each batch, `separator_bytes` between two calls.
    """

    call_max_bytes: int
    batch_max_bytes: int
    batch_max_calls: int | None = None
    envelope_bytes: int = 0
    separator_bytes: int = 1
    requests_per_second: float | None = None
    max_traits: int | None = None
    max_trait_name_bytes: int | None = None


def lines_of(block: bytes) -> list[bytes]:
    """The lines of a block that are not blank; a carriage return alone ends none."""
    return [line for line in BytesIO(block) if not line.isspace()]
