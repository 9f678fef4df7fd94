"""Parses Singer messages. Pure.

Numbers keep all their digits, so that the destination gets what the tap wrote: integers of any
size are `int`, others are `Decimal`.
"""

from __future__ import annotations

import re
from itertools import islice, repeat, takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from program_kit.exact_json import INVALID_JSON, decode_object, encode_json
from program_kit.json_limits import find_excess
from target_pipelines.api.errors import InputError
from target_pipelines.singer.repair import MAX_LINE_BYTES, UnreadableLine, repair
from target_pipelines.singer.unreadable import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_REQUIRED: Mapping[str, tuple[str, type]] = {
    "RECORD": ("record", dict),
    "SCHEMA": ("schema", dict),
    "STATE": ("value", dict),
    "BATCH": ("manifest", object),
}
_RECORD_HEAD = re.compile(rb'\{"type": ?"RECORD", ?"stream": ?"(?P<stream>[\w.-]+)", ?"record": ?')
"""The usual beginning of a RECORD. Other lines are parsed one by one."""
IGNORED = ("ACTIVATE_VERSION",)
"""Message types that have no meaning for calls."""
_OF_STREAMS = ("RECORD", "SCHEMA", "BATCH")


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


class Message(NamedTuple):
    """A message, its line as this program would read it, and whether characters were replaced."""

    content: Mapping[str, Any]
    line: bytes
    is_replaced: bool = False


def parse_message(line: bytes, number: int) -> Message:
    """Parse a line, repaired if need be; the message has a known `type`.

    `check_message` finds what it lacks.

    Raises:
        UnreadableLine: it is not a message.
        InputError: it is the last line, and truncated.
    """
    excess = "it is too long" if len(line) > MAX_LINE_BYTES else find_excess(line)
    try:
        if excess:
            raise UnreadableLine(excess)
        message = _parse(line)
    except UnreadableLine as error:
        if line.endswith(b"\n"):
            raise
        raise InputError(
            f"Line {number} of the input is not a Singer message (truncated: {error}). The tap may "
            "have crashed; the last STATE covers what was delivered. Run it again."
        ) from error
    _check_kind(message.content)
    return message


def _check_kind(message: Mapping[str, Any]) -> None:
    """Raise UnreadableLine if nobody can tell whose message it is."""
    kind = message.get("type")
    if kind not in (*_REQUIRED, *IGNORED, UNREADABLE):
        raise UnreadableLine("it has no `type` of a Singer message")
    if kind in _OF_STREAMS and not isinstance(message.get("stream"), str):
        raise UnreadableLine(f"a {kind} has no string `stream`")
    if kind == "STATE" and not isinstance(message.get("value"), dict):
        raise UnreadableLine("a STATE has no object `value`")


def _parse(line: bytes) -> Message:
    try:
        return Message(decode_object(line), line)
    except INVALID_JSON:
        value, is_replaced = repair(line)
    if not isinstance(value, dict):
        raise UnreadableLine("it is not a JSON object")
    return Message(value, encode_json(value) + b"\n", is_replaced)


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
    if kind == "BATCH":
        raise InputError(
            f"Line {number} of the input is a BATCH message, which is not supported. Turn off "
            "`batch_config` in the tap."
        )
    key, expected = _REQUIRED[kind]
    if not isinstance(message.get(key), expected):
        raise InputError(f"Line {number} of the input, a {kind}, has no object `{key}`.")
    if kind == "SCHEMA" and not isinstance(message["schema"].get("properties", {}), dict):
        raise InputError(f"Line {number} of the input, a SCHEMA: `properties` is no object.")
    if kind == "SCHEMA" and not _are_strings(message.get("key_properties") or []):
        raise InputError(f"Line {number} of the input: `key_properties` is not a list of strings.")


def _are_strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
