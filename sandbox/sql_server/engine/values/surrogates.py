"""Lone UTF-16 surrogates, which nvarchar may hold and DuckDB cannot."""

from __future__ import annotations

import re

# DuckDB's text is UTF-8, which has no lone surrogates: they stay in this private range of code
# points meanwhile. Text that really uses the range comes back changed.
_SURROGATE, _STAND_IN = 0xD800, 0x10D800
_SURROGATES = re.compile("[\ud800-\udfff]")
_STAND_INS = re.compile("[\U0010d800-\U0010dfff]")


def encode_surrogates(text: str) -> str:
    """The text with a stand-in for each lone surrogate."""
    if text.isascii():
        return text
    return _SURROGATES.sub(lambda m: chr(ord(m[0]) - _SURROGATE + _STAND_IN), text)


def decode_surrogates(text: str) -> str:
    """The text with its lone surrogates back."""
    if text.isascii():
        return text
    return _STAND_INS.sub(lambda m: chr(ord(m[0]) - _STAND_IN + _SURROGATE), text)
