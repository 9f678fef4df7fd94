"""Lines of a Singer tap → messages. Pure.

Numbers that are no integers become `Decimal`, and integers keep all their digits: what the tap
wrote is what the destination gets.
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
"""How taps begin a RECORD. Others, and streams with unusual names, are parsed one by one."""
IGNORED = ("ACTIVATE_VERSION",)
"""Messages without a meaning for calls."""


def group_records(lines: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """The lines, in runs: RECORDs of one stream that have the same before their `record`."""
    start = 0
    while start < len(lines):
        end = start + 1
        if head := _RECORD_HEAD.match(lines[start]):
            alike = map(bytes.startswith, islice(lines, end, None), repeat(head.group()))
            end += sum(takewhile(bool, alike))
        yield lines[start:end]
        start = end


def stream_of_record(line: bytes) -> str | None:
    """The stream of a RECORD that can stand in a run; None of any other line."""
    head = _RECORD_HEAD.match(line)
    return head and head["stream"].decode()


def parse_message(line: bytes, number: int) -> dict[str, Any]:
    """The message on a line, its `type` known and the keys that this type needs in place.

    Raises:
        InputError: the line is none; it says the line's number, never what it holds.
    """
    try:
        message: dict[str, Any] = decode_object(line)
    except INVALID_JSON as error:
        raise InputError(
            f"Line {number} of the input is no Singer message ({_reason_of(error, line)}). The tap "
            "broke off or is none; the state stands at what was settled. Run the tap again."
        ) from error
    kind = str(message.get("type"))
    if kind in _REQUIRED:
        _check(message, kind, number)
    elif kind not in IGNORED:
        raise InputError(_unknown_type(kind, number))
    return message


def _check(message: Mapping[str, Any], kind: str, number: int) -> None:
    key, expected = _REQUIRED[kind]
    if not isinstance(message.get(key), expected):
        raise InputError(f"Line {number} of the input, a {kind}, has no object `{key}`.")
    if kind == "SCHEMA" and not isinstance(message["schema"].get("properties"), dict):
        raise InputError(f"Line {number} of the input, a SCHEMA, has no object `properties`.")
    if kind == "SCHEMA" and not _are_texts(message.get("key_properties") or []):
        raise InputError(f"Line {number} of the input: `key_properties` is no list of texts.")
    if kind != "STATE" and not isinstance(message.get("stream"), str):
        raise InputError(f"Line {number} of the input, a {kind}, has no text `stream`.")


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _unknown_type(kind: str, number: int) -> str:
    if kind == "BATCH":
        return (
            f"Line {number} of the input is a BATCH, which names files instead of rows. Switch "
            "`batch_config` off in the tap."
        )
    return f"Line {number} of the input has no `type` that Singer knows."


def _reason_of(error: Exception, line: bytes) -> str:
    if not line.endswith(b"\n"):
        return "it breaks off in the middle"
    return "it is no JSON object" if isinstance(error, msgspec.ValidationError) else "invalid JSON"
