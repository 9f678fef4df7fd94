"""Dates and times as text, by the styles of CONVERT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.sql_server.engine.values.typed_sql import native

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.sql_server.engine.values.typed_sql import TypedSql

_DAY, _CLOCK = "%Y-%m-%d", "%H:%M:%S"
_FORMATS: Mapping[int, str] = {
    1: "%m/%d/%y", 101: "%m/%d/%Y", 2: "%y.%m.%d", 102: "%Y.%m.%d", 3: "%d/%m/%y",
    103: "%d/%m/%Y", 4: "%d.%m.%y", 104: "%d.%m.%Y", 5: "%d-%m-%y", 105: "%d-%m-%Y",
    6: "%d %b %y", 106: "%d %b %Y", 7: "%b %d, %y", 107: "%b %d, %Y", 8: _CLOCK, 24: _CLOCK,
    108: _CLOCK, 10: "%m-%d-%y", 110: "%m-%d-%Y", 11: "%y/%m/%d", 111: "%Y/%m/%d",
    12: "%y%m%d", 112: "%Y%m%d", 13: "%d %b %Y %H:%M:%S:%g", 113: "%d %b %Y %H:%M:%S:%g",
    14: "%H:%M:%S:%g", 114: "%H:%M:%S:%g", 23: _DAY, 20: f"{_DAY} {_CLOCK}",
    120: f"{_DAY} {_CLOCK}",
}  # fmt: skip
_FORMATS_WITH_FRACTION: Mapping[int, str] = {
    21: f"{_DAY} {_CLOCK}", 25: f"{_DAY} {_CLOCK}", 121: f"{_DAY} {_CLOCK}",
    126: f"{_DAY}T{_CLOCK}", 127: f"{_DAY}T{_CLOCK}",
}  # fmt: skip
_ISO_STYLES = (126, 127)
_UNKNOWN_STYLE = 121


def temporal_text(expr: TypedSql, style: int) -> str:
    """SQL for a date or time as text; style 0 is the type's default."""
    if expr.family == "offset":
        return _offset_text(expr, style)
    is_old = expr.type.name in ("datetime", "smalldatetime")
    if style in (0, 100) and is_old:
        return _american(expr.sql)
    if expr.family == "date" and style in (0, 20, 21, 25, 120, 121, *_ISO_STYLES):
        return f"strftime({expr.sql}, '{_DAY}')"
    instant = native(expr).sql
    if expr.family == "time":
        instant = f"(DATE '1900-01-01' + {instant})"
    if style in _FORMATS:
        return f"strftime({instant}, '{_FORMATS[style]}')"
    form = _FORMATS_WITH_FRACTION.get(style, _FORMATS_WITH_FRACTION[_UNKNOWN_STYLE])
    form = _CLOCK if expr.family == "time" else form
    return f"(strftime({instant}, '{form}') || {_fraction(expr, style, instant)})"


def _american(sql: str) -> str:
    """`Jan  2 2026  3:04AM`, the default of datetime."""
    day = f"lpad(CAST(day({sql}) AS VARCHAR), 2, ' ')"
    hour = f"lpad(CAST((hour({sql}) + 11) % 12 + 1 AS VARCHAR), 2, ' ')"
    return (
        f"(strftime({sql}, '%b ') || {day} || strftime({sql}, ' %Y ') || {hour} || "
        f"strftime({sql}, ':%M%p'))"
    )


def _fraction(expr: TypedSql, style: int, instant: str) -> str:
    """The decimal point and the type's digits; ISO styles omit a zero fraction."""
    digits = {"datetime": 3, "smalldatetime": 0}.get(expr.type.name, expr.type.scale)
    if digits == 0:
        return "''"
    last = f"CAST({expr.sql} % 10 AS VARCHAR)" if expr.in_ticks else "'0'"
    all_digits = f"(strftime({instant}, '%f') || {last})"
    written = f"('.' || left({all_digits}, {digits}))"
    if style not in _ISO_STYLES:
        return written
    return f"CASE WHEN {all_digits} = '0000000' THEN '' ELSE {written} END"


def _offset_text(expr: TypedSql, style: int) -> str:
    wall_clock = f"({expr.sql}.utc + to_minutes({expr.sql}.zone))"
    zone = f"abs({expr.sql}.zone)"
    written = (
        f"(CASE WHEN {expr.sql}.zone < 0 THEN '-' ELSE '+' END || "
        f"format('{{:02d}}:{{:02d}}', CAST({zone} // 60 AS INTEGER), CAST({zone} % 60 AS INTEGER)))"
    )
    if style in _FORMATS:
        return f"strftime({wall_clock}, '{_FORMATS[style]}')"
    digits = f"'.' || left(strftime({wall_clock}, '%f') || '0', {expr.type.scale})"
    fraction = digits if expr.type.scale else "''"
    if style in _ISO_STYLES:
        return f"(strftime({wall_clock}, '{_DAY}T{_CLOCK}') || {fraction} || {written})"
    return f"(strftime({wall_clock}, '{_DAY} {_CLOCK}') || {fraction} || ' ' || {written})"
