"""Reads lines that are almost JSON, as some taps write them; says why others cannot be read. Pure.

NaN and infinities are null, and what is no character is U+FFFD. Control characters in strings and a
byte order mark are harmless.
"""

from __future__ import annotations

import json
import re
from typing import Any

from program_kit.exact_json import Number
from program_kit.json_limits import MAX_DIGITS

REPLACEMENT = "\ufffd"
MAX_LINE_BYTES = 50 * 1024 * 1024
_BYTE_ORDER_MARK = "\ufeff"
_SURROGATES = re.compile("[\ud800-\udfff]")
_TYPE = rb'"type"\s*:\s*"(?P<type>[A-Z_]+)"'
_STREAM = rb'"stream"\s*:\s*"(?P<stream>(?:[^"\\]|\\.)+)"'
_HEADS = [
    re.compile(rb"\W*\{\s*%b\s*,\s*%b" % pair) for pair in ((_TYPE, _STREAM), (_STREAM, _TYPE))
]
_STRICT = json.JSONDecoder(strict=False, parse_float=Number, parse_constant=lambda _: None)


class UnreadableLine(Exception):  # noqa: N818 - one line's problem, which becomes a dead letter
    """A line cannot be read; the message is a clause that says why, without its content."""


def repair(line: bytes) -> tuple[Any, bool]:
    """The value of a line, and whether a character was replaced. Raises UnreadableLine."""
    text = line.decode("utf-8", "replace").strip().lstrip(_BYTE_ORDER_MARK)
    try:
        value = _STRICT.decode(text)
    except RecursionError as error:
        raise UnreadableLine("it is nested too deeply") from error
    except ValueError as error:
        if isinstance(error, json.JSONDecodeError):
            raise UnreadableLine("it is not JSON") from None
        raise UnreadableLine(f"an integer has more than {MAX_DIGITS:,} digits") from None
    is_replaced = REPLACEMENT in text and REPLACEMENT.encode() not in line
    if _SURROGATES.search(json.dumps(value, ensure_ascii=False, default=str)):
        return _without_surrogates(value), True
    return value, is_replaced


def head_of(line: bytes) -> tuple[str, str] | None:
    """Type and stream of a message, from the beginning of its line; None if it does not say."""
    for head in _HEADS:
        if match := head.match(line):
            return match["type"].decode(), match["stream"].decode("utf-8", "replace")
    return None


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATES.sub(REPLACEMENT, value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(k): _without_surrogates(v) for k, v in value.items()}
    return value
