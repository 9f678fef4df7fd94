"""JSON with exact numbers: a number that is not an integer keeps its text."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Any

import msgspec

INVALID_JSON = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What decoding raises."""


class Number(Decimal):
    """A number that is not an integer, and the text that it was decoded from.

    If Decimal cannot represent it, its value is infinity or zero, and the text is kept.
    """

    __slots__ = ("text",)

    text: str

    def __new__(cls, text: str) -> Number:
        """Decode a number."""
        try:
            number = super().__new__(cls, text)
        except ArithmeticError:
            sign = "-" if text.startswith("-") else ""
            is_tiny = "e-" in text.lower()
            number = super().__new__(cls, f"{sign}{0 if is_tiny else 'Infinity'}")
        number.text = text
        return number


def _encode_other(value: object) -> msgspec.Raw:
    if isinstance(value, Number):
        return msgspec.Raw(value.text.encode())
    raise TypeError(f"{type(value).__name__} cannot be encoded as JSON")


_encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=_encode_other)
encode_json = _encoder.encode
encode_json_lines = _encoder.encode_lines
decode_json = msgspec.json.Decoder(float_hook=Number).decode
decode_object = msgspec.json.Decoder(dict[str, Any], float_hook=Number).decode


def decode_plain(text: bytes) -> Any:
    """Decode JSON to plain types: numbers become integers or the nearest floats."""
    try:
        return msgspec.json.decode(text)
    except msgspec.ValidationError:  # out of range
        return _decode_nearest(text)


def _nearest(text: str) -> float:
    return max(min(float(text), sys.float_info.max), -sys.float_info.max)


_decode_nearest = msgspec.json.Decoder(float_hook=_nearest).decode
