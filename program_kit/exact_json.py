"""JSON that keeps the digits of numbers: a non-integer is read and written as its text."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Any

import msgspec

INVALID_JSON = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""The errors that decoding raises."""


class Number(Decimal):
    """A non-integer number with the text that it was read from.

    The value is infinity or zero if no Decimal can hold the number; the text is kept.
    """

    __slots__ = ("text",)

    text: str

    def __new__(cls, text: str) -> Number:
        """Read a number from JSON."""
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
_decoder = msgspec.json.Decoder(float_hook=Number)
decode_json = _decoder.decode
decode_json_lines = _decoder.decode_lines
decode_object = msgspec.json.Decoder(dict[str, Any], float_hook=Number).decode


def decode_plain(text: bytes) -> Any:
    """Decode JSON to plain types: non-integers become the nearest float."""
    try:
        return msgspec.json.decode(text)
    except msgspec.ValidationError:  # out of range
        return _decode_nearest(text)


def _nearest(text: str) -> float:
    return max(min(float(text), sys.float_info.max), -sys.float_info.max)


_decode_nearest = msgspec.json.Decoder(float_hook=_nearest).decode
