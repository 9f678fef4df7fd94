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
from target_pipelines.singer.line_reader import MAX_LINE_BYTES
from target_pipelines.singer.repair import repair
from target_pipelines.singer.unreadable import UnreadableLine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_OF_STREAMS = ("RECORD", "SCHEMA", "BATCH")
_KNOWN = (*_OF_STREAMS, "STATE")
_RECORD_HEAD = re.compile(rb'\{"type": ?"RECORD", ?"stream": ?"(?P<stream>[\w.-]+)", ?"record": ?')
"""The usual beginning of a RECORD. Other lines are parsed one by one."""
IGNORED = ("ACTIVATE_VERSION",)
"""Message types that have no meaning for calls."""


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
    """A message.

    Attributes:
        content: what it says; it has a known `type`.
        line: as this program writes it.
        replaced: how many characters of it were none, and became U+FFFD.
    """

    content: Mapping[str, Any]
    line: bytes
    replaced: int = 0


def parse_message(line: bytes, number: int) -> Message:
    """Parse a line, repaired if need be; `check_message` finds what its stream lacks.

    Raises:
        UnreadableLine: it is not a message, or a RECORD beyond the limits.
        InputError: it is the last line, and truncated.
    """
    if len(line.rstrip()) > MAX_LINE_BYTES:
        raise UnreadableLine(f"it is longer than {MAX_LINE_BYTES >> 20} MB")
    try:
        message = _parse(line)
    except UnreadableLine as error:
        if line.endswith(b"\n"):
            raise
        raise InputError(
            f"Line {number} of the input is not a Singer message (truncated: {error}). The tap may "
            "have crashed; the last STATE covers what was delivered. Run it again."
        ) from error
    _check_kind(message.content)
    if message.content["type"] == "RECORD" and (excess := find_excess(message.line)):
        raise UnreadableLine(excess)
    return message


def _parse(line: bytes) -> Message:
    try:
        return Message(decode_object(line), line)
    except INVALID_JSON:
        value, replaced = repair(line)
    if not isinstance(value, dict):
        raise UnreadableLine("it is not a JSON object")
    return Message(value, encode_json(value) + b"\n", replaced)


def _check_kind(message: Mapping[str, Any]) -> None:
    """Raise UnreadableLine if nobody can tell what a message says, or about which stream."""
    kind = message.get("type")
    if not isinstance(kind, str) or kind not in (*_KNOWN, *IGNORED):
        raise UnreadableLine("it has no `type` of a Singer message")
    if kind in _OF_STREAMS and not isinstance(message.get("stream"), str):
        raise UnreadableLine(f"a {kind} has no string `stream`")
    if kind == "RECORD" and not isinstance(message.get("record"), dict):
        raise UnreadableLine("a RECORD has no object `record`")
    if kind == "STATE" and not isinstance(message.get("value"), dict):
        raise UnreadableLine("a STATE has no object `value`")


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
    """Raise InputError if a message lacks what its type requires."""
    if message["type"] == "BATCH":
        raise InputError(
            f"Line {number} of the input is a BATCH message, which is not supported. Turn off "
            "`batch_config` in the tap."
        )
    if message["type"] != "SCHEMA":
        return
    schema = message.get("schema")
    if not isinstance(schema, dict):
        raise InputError(f"Line {number} of the input, a SCHEMA, has no object `schema`.")
    if not isinstance(schema.get("properties", {}), dict):
        raise InputError(f"Line {number} of the input, a SCHEMA: `properties` is no object.")
    if not _are_strings(message.get("key_properties") or []):
        raise InputError(f"Line {number} of the input: `key_properties` is not a list of strings.")


def _are_strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
