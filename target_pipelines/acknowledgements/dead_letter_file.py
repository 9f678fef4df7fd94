"""What a dead-letter file holds, line by line, before anything is done with it."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from program_kit.exact_json import INVALID_JSON, decode_object
from program_kit.text_files import without_mark

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from target_pipelines.api.settings import TargetSettings

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "stream": str,
    "call_type": str,
    "reason": str,
    "attempts": int,
    "call": (dict, type(None)),
    "record": (dict, type(None)),
    "key": (dict, type(None)),
    "origin": (dict, type(None)),
    "position": (int, type(None)),
    "retries": int,
    "destination": (str, type(None)),
    "line": str,
}
_REQUIRED = ("stream", "call_type", "attempts")
_BEGINNINGS = (b'{"time"', b'{"stream"')
_LINES_LOOKED_AT = 1000


def parse_letter(line: bytes) -> dict[str, Any] | None:
    """The dead letter in a line of a file; None if it is none, or lacks what it needs."""
    try:
        letter = decode_object(without_mark(line))
    except INVALID_JSON:
        return None
    if not all(name in letter for name in _REQUIRED):
        return None
    if not all(isinstance(letter.get(n), t) for n, t in _TYPES.items() if n in letter):
        return None
    if "line" in letter:
        return letter
    is_sendable = letter.get("call") if letter["attempts"] else letter.get("record")
    return letter if isinstance(is_sendable, dict) else None


def is_letter_of(
    letter: Mapping[str, Any], settings: TargetSettings, *, is_only: bool, kinds: Collection[str]
) -> bool:
    """Whether a letter is of a destination, which may have been renamed since.

    The only destination takes the letters of all names but those of other `kinds`.
    """
    name, own = letter.get("destination"), {settings.destination_name, settings.destination}
    return name == settings.destination_name or (is_only and name not in {*kinds} - own)


def holds_letters(lines: Iterable[bytes]) -> bool:
    """Whether the beginning of a file looks like dead letters; so does an empty one."""
    is_empty = True
    for line in islice(lines, _LINES_LOOKED_AT):
        if not line.strip():
            continue
        is_empty = False
        if line.startswith(_BEGINNINGS) and not line.endswith(b"\n"):
            return True  # a killed writer left it
        if parse_letter(line):
            return True
    return is_empty


def is_other_file(path: Path) -> bool:
    """Whether a path is a regular file that holds something else. Raises OSError."""
    if not path.is_file():
        return False
    with path.open("rb") as lines:
        return not holds_letters(lines)
