"""Encodes values and Singer messages as JSON, and decodes JSON, with exact numbers. Pure."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_PRECISION = 38
_MAX_INTEGER_BITS = 63
_WIDE_INTEGER = re.compile(r"\d{19}")
INVALID_JSON = (msgspec.MsgspecError, UnicodeError, RecursionError, ArithmeticError)
"""What `parse_json` raises; ArithmeticError is for a number that Decimal cannot represent."""
_decode = msgspec.json.Decoder(float_hook=Decimal).decode
VALUE_OPTIONS = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
"""The options of orjson for all values."""


def _digits(value: Any) -> orjson.Fragment:
    """A decimal as a JSON number with its exact digits; an exponent only where JSON had one."""
    if not isinstance(value, Decimal):
        raise TypeError(type(value).__name__)
    _, _, exponent = value.as_tuple()
    is_plain = isinstance(exponent, int) and abs(exponent) <= _MAX_PRECISION
    return orjson.Fragment(format(value, "f") if is_plain else str(value))


def parse_json(text: str) -> Any:
    """Decode JSON with exact numbers. Raises INVALID_JSON."""
    value = _decode(text)
    return _with_wide_integers(value) if _WIDE_INTEGER.search(text) else value


def _with_wide_integers(value: Any) -> Any:
    """Integers of more than 64 bits as decimals, which orjson can write exactly."""
    if isinstance(value, list):
        return [_with_wide_integers(item) for item in value]
    if isinstance(value, dict):
        return {key: _with_wide_integers(item) for key, item in value.items()}
    is_wide = isinstance(value, int) and value.bit_length() > _MAX_INTEGER_BITS
    return Decimal(value) if is_wide else value


def dump_message(message: Mapping[str, Any]) -> bytes:
    """One Singer message as one line."""
    options = VALUE_OPTIONS | orjson.OPT_APPEND_NEWLINE
    try:
        return orjson.dumps(message, default=_digits, option=options)
    except TypeError:  # an integer of more than 64 bits, as a decimal column of the state may have
        return orjson.dumps(_with_wide_integers(message), default=_digits, option=options)


def dump_value(value: Any) -> bytes:
    """One value as JSON."""
    return orjson.dumps(value, default=_digits, option=VALUE_OPTIONS)


def dump_record(stream: str, record: Mapping[str, Any]) -> bytes:
    """One RECORD message as one line."""
    return dump_message({"type": "RECORD", "stream": stream, "record": record})
