"""Limits of JSON texts, the same in both programs: depth, and digits of an integer. Pure."""

from __future__ import annotations

import re
from itertools import accumulate

MAX_DEPTH = 128
"""Objects and arrays in one another in the value of a column, as SQL Server's functions allow."""
MAX_DIGITS = 4300
"""Digits of an integer: what Python converts."""

_OUTER_LEVELS = 2
"""A RECORD and its `record`, around the values of columns."""
_MAX_RECORD_DEPTH = MAX_DEPTH + _OUTER_LEVELS
_STRING = re.compile(rb'"[^"\\]*(?:\\.?[^"\\]*)*(?:"|\Z)', re.DOTALL)
_LONG_INTEGER = re.compile(rb"(?<![\d.])\d{%d,}(?![\d.eE])" % (MAX_DIGITS + 1))
_DISTANCE = 97  # a prime number, so that records of any length do not keep step with it
_DIGITS_IN_SAMPLE = b"0" * (MAX_DIGITS // _DISTANCE)
_MARK_DIGITS = bytes(48 if 48 <= b < 58 else 0 for b in range(256))
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_NO_OPENING = bytes(set(range(256)) - set(b"[{\n"))
_STEPS = {b: 1 if b in b"[{" else -1 for b in b"[]{}"}


def is_too_deep(value: str) -> bool:
    """Whether a column's JSON is nested deeper than `MAX_DEPTH`."""
    if value.count("[") + value.count("{") <= MAX_DEPTH:
        return False
    return _depth_of(value.encode("utf-8", "surrogatepass")) > MAX_DEPTH


def may_be_too_deep(records: bytes) -> bool:
    """Whether any of these lines may be nested too deeply; False is certain."""
    opening = records.count(b"{") + records.count(b"[")
    if opening <= MAX_DEPTH + _OUTER_LEVELS * (records.count(b"\n") or 1):
        return False
    brackets = records.translate(None, _NO_OPENING).split(b"\n")  # twice as fast as each line
    return max(map(len, brackets)) > _MAX_RECORD_DEPTH and any(
        map(_exceeds_depth, records.split(b"\n"))
    )


def may_have_too_many_digits(records: bytes) -> bool:
    """Whether any of these lines may have an integer that is too long; False is certain."""
    # A look at one byte in a hundred finds every such integer, and hardly anything else.
    digits = records[::_DISTANCE].translate(_MARK_DIGITS)
    return _DIGITS_IN_SAMPLE in digits and bool(_LONG_INTEGER.search(records))


def find_excess(record: bytes) -> str:
    """Which limit a RECORD exceeds, as a clause; empty if none."""
    if _exceeds_depth(record):
        return f"a value is nested deeper than {MAX_DEPTH} levels"
    if len(record) > MAX_DIGITS and _LONG_INTEGER.search(_STRING.sub(b'""', record)):
        return f"an integer has more than {MAX_DIGITS:,} digits"
    return ""


def _exceeds_depth(record: bytes) -> bool:
    opening = record.count(b"{") + record.count(b"[")
    return opening > _MAX_RECORD_DEPTH and _depth_of(record) > _MAX_RECORD_DEPTH


def _depth_of(text: bytes) -> int:
    brackets = _STRING.sub(b"", text).translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0)
