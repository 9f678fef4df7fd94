"""Limits of JSON texts, the same in both programs: depth, and digits of an integer. Pure."""

from __future__ import annotations

import re
from itertools import accumulate

MAX_DEPTH = 128
"""Objects and arrays in one another in the value of a column, as SQL Server's functions allow."""
MAX_DIGITS = 4300
"""Digits of an integer: what Python and msgspec convert."""

_OUTER_LEVELS = 2
"""A RECORD and its `record`, around the values of columns."""
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_LONG_INTEGER = re.compile(rb"(?<![\d.])\d{%d,}(?![\d.eE])" % (MAX_DIGITS + 1))
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_NO_OPENING = bytes(set(range(256)) - set(b"[{\n"))
_STEPS = {b: 1 if b in b"[{" else -1 for b in b"[]{}"}


def is_too_deep(value: str) -> bool:
    """Whether a column's JSON is nested deeper than `MAX_DEPTH`."""
    if value.count("[") + value.count("{") <= MAX_DEPTH:
        return False
    return _depth_of(value.encode("utf-8", "surrogatepass")) > MAX_DEPTH


def may_exceed(lines: bytes) -> bool:
    """Whether any of these lines may exceed a limit; False is certain. Fast for usual lines."""
    opening = lines.count(b"{") + (lines.count(b"[") if b"[" in lines else 0)
    if opening > MAX_DEPTH + _OUTER_LEVELS * (lines.count(b"\n") or 1):
        brackets = lines.translate(None, _NO_OPENING).split(b"\n")
        if max(map(len, brackets)) > MAX_DEPTH + _OUTER_LEVELS and any(
            map(_exceeds_depth, lines.split(b"\n"))
        ):
            return True
    return _has_long_line(lines) and _long_integer_in(lines)


def find_excess(line: bytes) -> str:
    """Which limit a message exceeds, as a clause; empty if none."""
    if _exceeds_depth(line):
        return f"it is nested deeper than {MAX_DEPTH} levels"
    if len(line) > MAX_DIGITS and _long_integer_in(_STRING.sub(b'""', line)):
        return f"an integer has more than {MAX_DIGITS:,} digits"
    return ""


def _exceeds_depth(line: bytes) -> bool:
    most = MAX_DEPTH + _OUTER_LEVELS
    return line.count(b"{") + line.count(b"[") > most and _depth_of(line) > most


def _depth_of(text: bytes) -> int:
    brackets = _STRING.sub(b"", text).translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0)


def _has_long_line(lines: bytes) -> bool:
    """Whether a line has more bytes than an integer may have digits."""
    start = 0
    while len(lines) - start > MAX_DIGITS:
        start = lines.rfind(b"\n", start, start + MAX_DIGITS + 1) + 1
        if not start:
            return True
    return False


def _long_integer_in(text: bytes) -> bool:
    return _LONG_INTEGER.search(text) is not None
