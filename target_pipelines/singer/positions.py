"""Positions of records in their streams, which tell equal facts of one run apart.

Dead letters have them too. The process that reads the input counts them, and adds them to the lines
that it sends to workers.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol

from target_pipelines.api.calls import lines_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_pipelines.singer.streams import Stream

FROM_ZERO = range(sys.maxsize)
_KEY = "x-position"
_SUFFIX = b'%b,"x-position":%d}\n'


class Positions(Protocol):
    """Knows the positions of the records that are read."""

    def start(self, stream: Stream) -> None:
        """Note a SCHEMA."""

    def of_block(self, stream: Stream, block: bytes) -> Sequence[int] | None:
        """The positions of the next records, at least as many; None if these are not RECORDs."""

    def of_message(self, stream: Stream, message: Mapping[str, Any]) -> int:
        """The position of the next record."""

    def advance(self, stream: Stream, count: int) -> None:
        """Note that so many records were handled."""


class CountedPositions:
    """Counts the records of each stream; a SCHEMA that begins another read starts again."""

    def __init__(self) -> None:
        self._streams: dict[str, Stream] = {}
        self._next: dict[str, int] = {}

    def start(self, stream: Stream) -> None:
        """Note a SCHEMA; one that continues the read changes nothing."""
        before = self._streams.get(stream.name)
        self._streams[stream.name] = stream
        if before is None or before.read != stream.read:
            self._next[stream.name] = stream.first_position

    def of_block(self, stream: Stream, block: bytes) -> Sequence[int]:  # noqa: ARG002
        """The positions from the next one on."""
        return FROM_ZERO[self._next[stream.name] :]

    def of_message(self, stream: Stream, message: Mapping[str, Any]) -> int:  # noqa: ARG002
        """The next position."""
        return self._next[stream.name]

    def advance(self, stream: Stream, count: int) -> None:
        """Count records."""
        self._next[stream.name] += count


class SentPositions:
    """Reads the positions from the lines that a worker gets."""

    def start(self, stream: Stream) -> None:
        """Do nothing."""

    def of_block(self, stream: Stream, block: bytes) -> Sequence[int] | None:  # noqa: ARG002
        """The positions at the ends of the lines."""
        try:
            return [int(line[line.rindex(b":") + 1 : -2]) for line in lines_of(block)]
        except ValueError:
            return None

    def of_message(self, stream: Stream, message: Mapping[str, Any]) -> int:  # noqa: ARG002
        """The position in the message."""
        return int(message.get(_KEY, 0))

    def advance(self, stream: Stream, count: int) -> None:
        """Do nothing."""


def add_position(line: bytes, position: int) -> bytes:
    """A RECORD with its position, as `SentPositions` reads it."""
    end = line[:-2] if line.endswith(b"}\n") else line.rstrip()[:-1]
    return _SUFFIX % (end, position)
