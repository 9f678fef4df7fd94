"""Lines that cannot be read: each becomes a dead letter, of its stream if the line says which."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from program_kit.exact_json import encode_json

if TYPE_CHECKING:
    from collections.abc import Mapping

UNREADABLE = "UNREADABLE"
"""The type of the message by which a worker process gets such a line; no tap's message has it."""
UNKNOWN_STREAM = "(unknown)"
_MAX_CHARACTERS = 1_000_000


@dataclass(frozen=True, slots=True)
class UnreadableRecord:
    """A line that cannot be read.

    Attributes:
        stream: its stream; `UNKNOWN_STREAM` if it does not say.
        call_type: the stream's; empty if it is unknown.
        position: in the stream.
        last_sync_time: the stream's.
        reason: why it cannot be read, as a sentence without its content.
        text: the line, cut after a million characters, with U+FFFD for what is no character.
    """

    stream: str
    call_type: str
    position: int
    last_sync_time: Any
    reason: str
    text: str

    def to_line(self) -> bytes:
        """The message for a worker process."""
        return encode_json({"type": UNREADABLE, "line": asdict(self)}) + b"\n"

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> UnreadableRecord:
        """The line in a message of the parent process."""
        return cls(**message["line"])


def text_of(line: bytes) -> str:
    """A line as a dead letter keeps it."""
    return line[: 4 * _MAX_CHARACTERS].decode("utf-8", "replace").strip()[:_MAX_CHARACTERS]


