"""Lone UTF-16 surrogates, which nvarchar may hold and DuckDB's UTF-8 cannot."""

from __future__ import annotations

import re

# DuckDB's text is UTF-8, which has no lone surrogates, so they are mapped to this private-use
# range. Text that really uses the range comes back changed.
_SURROGATE, _STAND_IN = 0xD800, 0x10D800
_SURROGATES = re.compile("[\ud800-\udfff]")
_STAND_INS = re.compile("[\U0010d800-\U0010dfff]")


def encode_surrogates(text: str) -> str:
    """Replace each lone surrogate by its private-use character."""
    if text.isascii():
        return text
    return _SURROGATES.sub(lambda m: chr(ord(m[0]) - _SURROGATE + _STAND_IN), text)


def decode_surrogates(text: str) -> str:
    """Restore the lone surrogates."""
    if text.isascii():
        return text
    return _STAND_INS.sub(lambda m: chr(ord(m[0]) - _STAND_IN + _SURROGATE), text)
