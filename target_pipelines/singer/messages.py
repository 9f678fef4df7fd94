"""Parses Singer messages. Pure.

Numbers keep all their digits, so that the destination gets what the tap wrote: integers of any
size are `int`, others are `Decimal`.
"""

from __future__ import annotations

import re
from itertools import islice, repeat, takewhile
from typing import TYPE_CHECKING, Any

import msgspec

from program_kit.exact_json import INVALID_JSON, decode_object
from target_pipelines.api.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_REQUIRED: Mapping[str, tuple[str, type]] = {
    "RECORD": ("record", dict),
    "SCHEMA": ("schema", dict),
    "STATE": ("value", dict),
}
_RECORD_HEAD = re.compile(rb'\{"type": ?"RECORD", ?"stream": ?"(?P<stream>[\w.-]+)", ?"record": ?')
"""The usual beginning of a RECORD. Other lines are parsed one by one."""
IGNORED = ("ACTIVATE_VERSION",)
"""Message types that have no meaning for calls."""
_OF_STREAMS = ("RECORD", "SCHEMA")


class _Record(msgspec.Struct):
    record: dict[str, msgspec.Raw]


_decode_records = msgspec.json.Decoder(_Record).decode_lines


def group_records(lines: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Split lines into runs of RECORDs of one stream that are written alike; others are alone."""
    start = 0
    while start < len(lines):
        end = start + 1
        if head := _RECORD_HEAD.match(lines[start]):
            alike = map(bytes.startswith, islice(lines, end, None), repeat(head.group()))
            end += sum(takewhile(bool, alike))
        yield lines[start:end]
        start = end


def stream_of_record(line: bytes) -> str | None:
    """The stream of a RECORD with the usual beginning; None for other lines."""
    head = _RECORD_HEAD.match(line)
    return head and head["stream"].decode()


def parse_message(line: bytes, number: int) -> dict[str, Any]:
    """Parse a line; the message has a known `type`, and `check_message` finds what it lacks.

    Raises:
        InputError: it is not a message. The error has the line's number, never its content.
    """
    try:
        message: dict[str, Any] = decode_object(line)
    except INVALID_JSON as error:
        raise InputError(
            f"Line {number} of the input is not a Singer message ({_reason_of(error, line)}). The "
            "tap may have crashed; the last STATE covers what was delivered. Run it again."
        ) from error
    kind = str(message.get("type"))
    if kind not in _REQUIRED and kind not in IGNORED:
        raise InputError(_unknown_type(kind, number))
    return message


def stream_of(message: Mapping[str, Any]) -> str | None:
    """The stream of a SCHEMA or a RECORD; None for other messages, and if it has none."""
    stream = message.get("stream")
    return stream if message["type"] in _OF_STREAMS and isinstance(stream, str) else None


def are_records(lines: bytes) -> bool:
    """Whether all lines are JSON objects with an object `record`, whatever is in it."""
    try:
        _decode_records(lines)
    except INVALID_JSON:
        return False
    return True


def check_message(message: Mapping[str, Any], number: int) -> None:
    """Raise InputError if a message lacks the keys that its type requires."""
    kind = message["type"]
    if kind not in _REQUIRED:
        return
    key, expected = _REQUIRED[kind]
    if not isinstance(message.get(key), expected):
        raise InputError(f"Line {number} of the input, a {kind}, has no object `{key}`.")
    if kind == "SCHEMA" and not isinstance(message["schema"].get("properties"), dict):
        raise InputError(f"Line {number} of the input, a SCHEMA, has no object `properties`.")
    if kind == "SCHEMA" and not _are_strings(message.get("key_properties") or []):
        raise InputError(f"Line {number} of the input: `key_properties` is not a list of strings.")
    if kind != "STATE" and not isinstance(message.get("stream"), str):
        raise InputError(f"Line {number} of the input, a {kind}, has no string `stream`.")


def _are_strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _unknown_type(kind: str, number: int) -> str:
    if kind == "BATCH":
        return (
            f"Line {number} of the input is a BATCH message, which is not supported. Turn off "
            "`batch_config` in the tap."
        )
    return f"Line {number} of the input has no `type` of a Singer message."


def _reason_of(error: Exception, line: bytes) -> str:
    if not line.endswith(b"\n"):
        return "truncated"
    return "not a JSON object" if isinstance(error, msgspec.ValidationError) else "invalid JSON"
