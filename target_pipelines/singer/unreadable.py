"""Lines that cannot be read: each becomes a dead letter, of its stream if the line says which."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

UNKNOWN_STREAM = "(unknown)"
"""The stream of lines that do not say theirs."""
_MAX_CHARACTERS = 1_000_000
_STRING = rb'"(?P<%b>[^"\\]*(?:\\.?[^"\\]*)*)(?:"|\Z)'
_PAIR = rb"%b(?:\s*:\s*%b)?" % (_STRING % b"name", _STRING % b"text")
_TOKEN = re.compile(_PAIR + rb"|[\[\]{}]", re.DOTALL)
_STEPS = {b"{": 1, b"[": 1, b"}": -1, b"]": -1}


class UnreadableLine(Exception):  # noqa: N818 - one line's problem, which becomes a dead letter
    """A line cannot be read; the message is a clause that says why, without its content."""


@dataclass(frozen=True, slots=True)
class UnreadableRecord:
    """A line that cannot be read.

    Attributes:
        stream: its stream; `UNKNOWN_STREAM` if it does not say.
        call_type: the stream's; empty if it is unknown.
        position: in the stream; if that is unknown, in the input, from 0.
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


def text_of(line: bytes) -> str:
    """A line as a dead letter keeps it."""
    return line[: 4 * _MAX_CHARACTERS].decode("utf-8", "replace").strip()[:_MAX_CHARACTERS]


def head_of(line: bytes) -> Mapping[str, str]:
    """The members of a line's outer object that are strings, as far as one can tell."""
    members: dict[str, str] = {}
    depth = 0
    for token in _TOKEN.finditer(line):
        if token["name"] is None:
            depth += _STEPS[token[0]]
        elif depth == 1 and token["text"] is not None:
            members[token["name"].decode("utf-8", "replace")] = token["text"].decode(
                "utf-8", "replace"
            )
    return members
