"""Date and time functions: DATEADD, DATEDIFF, DATEPART and so on."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from sandbox.sql_server.engine.values.conversions import convert
from sandbox.sql_server.engine.values.sql_types import BIGINT, DATE, DATETIME, INT, TEMPORAL
from sandbox.sql_server.engine.values.temporal_casts import to_temporal, wall_clock
from sandbox.sql_server.engine.values.typed_sql import TypedSql, error_sql, string_literal
from sandbox.sql_server.results import SqlError, SqlType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.sql_server.engine.translation.functions.function_call import Function, FunctionCall

_PARTS = {
    "year": "yy yyyy year", "quarter": "qq q quarter", "month": "mm m month",
    "dayofyear": "dy y dayofyear", "day": "dd d day", "week": "wk ww week",
    "weekday": "dw w weekday", "hour": "hh hour", "minute": "mi n minute",
    "second": "ss s second", "millisecond": "ms millisecond", "microsecond": "mcs microsecond",
    "nanosecond": "ns nanosecond", "iso_week": "isowk isoww iso_week", "tzoffset": "tz tzoffset",
}  # fmt: skip
_PART_BY_WORD = {word: part for part, words in _PARTS.items() for word in words.split()}
_DATETIME2 = SqlType("datetime2", scale=7)
_MICROSECONDS = {"millisecond": 1000, "microsecond": 1}
_INTERVALS = {"year": "to_years", "month": "to_months", "day": "to_days", "week": "to_weeks",
              "hour": "to_hours", "minute": "to_minutes"}  # fmt: skip


def _part(call: FunctionCall, index: int = 0) -> str:
    word = call.keyword(index)
    if word not in _PART_BY_WORD:
        message = f"'{word}' is not a recognized {call.name.lower()} option."
        raise SqlError(155, message, severity=15)
    return _PART_BY_WORD[word]


def _temporal(call: FunctionCall, index: int) -> TypedSql:
    """An argument as a date or time without offset; text and numbers are converted."""
    expr = call.raw_argument(index)
    if expr.family == "text" or expr.is_untyped_null:
        expr = convert(expr, _DATETIME2)
    if expr.family not in TEMPORAL:
        expr = to_temporal(expr, DATETIME)
    return wall_clock(expr)


def _added(call: FunctionCall) -> TypedSql:
    """DATEADD(datepart, number, value), of the value's type."""
    call.check_count(3)
    part, count, original = _part(call), call.number(1), call.raw_argument(2)
    value = _temporal(call, 2)
    # Text becomes datetime; dates and times keep their type.
    target = original.type if original.family in TEMPORAL else DATETIME
    base = f"(DATE '1900-01-01' + {value.sql})" if value.family == "time" else value.sql
    sql = f"({base} + {_interval(part, count.sql)})"
    sql = _within_calendar(sql, target.name)
    if original.family == "offset":
        sql = f"{{'utc': {sql} - to_minutes({original.sql}.zone), 'zone': {original.sql}.zone}}"
        return TypedSql(sql, target, value.nullable or count.nullable)
    if target.name == "date":
        sql = f"CAST({sql} AS DATE)"
    elif target.name == "time":
        sql = f"CAST({sql} AS TIME)"
    sql_type = SqlType("datetime2", scale=7) if target.name == "datetime" else target
    added = TypedSql(sql, sql_type, value.nullable or count.nullable)
    return convert(added, target) if target.name == "datetime" else added


def _within_calendar(sql: str, name: str) -> str:
    """The result, or SQL Server's error outside the years 1 to 9999."""
    failed = error_sql(517, f"Adding a value to a '{name}' column caused an overflow.")
    bounds = "TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999'"
    return f"CASE WHEN {sql} NOT BETWEEN {bounds} THEN {failed} ELSE {sql} END"


def _interval(part: str, count: str) -> str:
    if part == "quarter":
        return f"to_months(3 * {count})"
    if part in ("dayofyear", "weekday"):
        return f"to_days({count})"
    if part == "second":
        return f"to_microseconds(CAST({count} AS BIGINT) * 1000000)"
    if part in _MICROSECONDS:
        return f"to_microseconds(CAST({count} AS BIGINT) * {_MICROSECONDS[part]})"
    if part == "nanosecond":
        return f"to_microseconds(CAST({count} AS BIGINT) // 1000)"
    return f"{_INTERVALS[part]}({count})"


def _difference(call: FunctionCall) -> TypedSql:
    """DATEDIFF: the number of datepart boundaries crossed; weeks begin on Sunday."""
    call.check_count(3)
    part = _part(call)
    first, last = (convert(_temporal(call, index), _WIDE) for index in (1, 2))
    start, end = first.sql, last.sql
    match part:
        case "week":
            days = [f"date_diff('day', DATE '0001-01-07', {value})" for value in (start, end)]
            sql = f"(({days[1]} + 700) // 7 - ({days[0]} + 700) // 7)"
        case "dayofyear" | "weekday":
            sql = f"date_diff('day', {start}, {end})"
        case "nanosecond":
            sql = f"(date_diff('microsecond', {start}, {end}) * 1000)"
        case _:
            sql = f"date_diff('{part}', {start}, {end})"
    nullable = first.nullable or last.nullable
    if call.name == "DATEDIFF_BIG":
        return TypedSql(sql, BIGINT, nullable)
    message = (
        "The datediff function resulted in an overflow. The number of dateparts separating two "
        "date/time instances is too large. Try to use datediff with a less precise datepart."
    )
    overflow = f"CASE WHEN {sql} IS NOT NULL THEN {error_sql(535, message)} END"
    return TypedSql(f"coalesce(TRY_CAST({sql} AS INTEGER), {overflow})", INT, nullable)


_WIDE = SqlType("datetime2", scale=6)


def _date_part(call: FunctionCall) -> TypedSql:
    call.check_count(2)
    return _extract(call, _part(call), 1)


def _named_part(call: FunctionCall) -> TypedSql:
    """YEAR, MONTH and DAY."""
    call.check_count(1)
    return _extract(call, call.name.lower(), 0)


def _extract(call: FunctionCall, part: str, index: int) -> TypedSql:
    value = _temporal(call, index)
    instant = f"(DATE '1900-01-01' + {value.sql})" if value.family == "time" else value.sql
    micros = f"(microsecond({instant}) % 1000000)"
    sql = {
        "weekday": f"(dayofweek({instant}) + 1)",
        "week": _us_week(instant),
        "iso_week": f"weekofyear({instant})",
        "millisecond": f"({micros} // 1000)",
        "microsecond": micros,
        "nanosecond": f"({micros} * 1000)",
        "tzoffset": f"{call.raw_argument(index).sql}.zone",
    }.get(part, f"date_part('{part}', {instant})")
    return TypedSql(f"CAST({sql} AS INTEGER)", INT, value.nullable)


def _us_week(instant: str) -> str:
    first = f"date_trunc('year', {instant})"
    return f"((dayofyear({instant}) + dayofweek({first}) - 1) // 7 + 1)"


def _date_name(call: FunctionCall) -> TypedSql:
    call.check_count(2)
    part, value = _part(call), _temporal(call, 1)
    if part in ("month", "weekday"):
        sql = f"strftime({value.sql}, '{'%B' if part == 'month' else '%A'}')"
    else:
        sql = f"CAST({_extract(call, part, 1).sql} AS VARCHAR)"
    return TypedSql(sql, SqlType("nvarchar", 30), value.nullable)


def _end_of_month(call: FunctionCall) -> TypedSql:
    call.check_count(1, 2)
    value = _temporal(call, 0)
    months = call.number(1).sql if len(call.nodes) > 1 else "0"
    return TypedSql(f"last_day({value.sql} + to_months({months}))", DATE, value.nullable)


def _date_from_parts(call: FunctionCall) -> TypedSql:
    call.check_count(3)
    parts = ", ".join(call.number(index).sql for index in range(3))
    return TypedSql(f"make_date({parts})", DATE)


def _datetime_from_parts(call: FunctionCall) -> TypedSql:
    """DATETIMEFROMPARTS, and DATETIME2FROMPARTS with fraction and scale."""
    call.check_count(7, 8)
    *parts, second, fraction = (call.number(index).sql for index in range(7))
    scale = call.number(7).constant if len(call.nodes) > 7 else 3
    scale = scale if isinstance(scale, int) else 7
    seconds = f"({second} + {fraction} / CAST({10**scale} AS DOUBLE))"
    sql = f"make_timestamp({', '.join(parts)}, {seconds})"
    target = DATETIME if call.name == "DATETIMEFROMPARTS" else SqlType("datetime2", scale=scale)
    return TypedSql(sql, target)


def _is_date(call: FunctionCall) -> TypedSql:
    value = convert(call.argument(0), _WIDE, is_safe=True)
    return TypedSql(f"CAST({value.sql} IS NOT NULL AS INTEGER)", INT, nullable=False)


def _switch_offset(call: FunctionCall) -> TypedSql:
    """SWITCHOFFSET and TODATETIMEOFFSET."""
    call.check_count(2)
    zone = call.argument(1)
    minutes = zone.sql if zone.family == "integer" else _minutes_of(str(zone.constant))
    sql_type = SqlType("datetimeoffset", scale=call.raw_argument(0).type.scale)
    expr = call.raw_argument(0)
    if call.name == "SWITCHOFFSET":
        utc = f"{convert(expr, sql_type).sql}.utc"
    else:
        utc = f"({wall_clock(expr).sql} - to_minutes({minutes}))"
    return TypedSql(
        f"{{'utc': {utc}, 'zone': CAST({minutes} AS SMALLINT)}}", sql_type, expr.nullable
    )


def _minutes_of(zone: str) -> str:
    sign = -1 if zone.startswith("-") else 1
    hours, _, minutes = zone.lstrip("+-").partition(":")
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    return str(sign * (offset // timedelta(minutes=1)))


_NET_FORMS = {
    "yyyy": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "dddd": "%A", "ddd": "%a",
    "dd": "%d", "HH": "%H", "hh": "%I", "mm": "%M", "ss": "%S", "fff": "%g", "tt": "%p",
}  # fmt: skip
_NET_FORM = re.compile("|".join(_NET_FORMS))


def _format(call: FunctionCall) -> TypedSql:
    """FORMAT of a date or time by a .NET format of the common specifiers."""
    call.check_count(2, 3)
    form = _NET_FORM.sub(lambda m: _NET_FORMS[m[0]], str(call.argument(1).constant))
    value = _temporal(call, 0)
    sql = f"strftime({value.sql}, {string_literal(form)})"
    return TypedSql(sql, SqlType("nvarchar", 4000), value.nullable)


FUNCTIONS: Mapping[str, Function] = {
    "DATEADD": _added,
    **dict.fromkeys(("DATEDIFF", "DATEDIFF_BIG"), _difference),
    "DATEPART": _date_part,
    "DATENAME": _date_name,
    **dict.fromkeys(("YEAR", "MONTH", "DAY"), _named_part),
    "EOMONTH": _end_of_month,
    "FORMAT": _format,
    "DATEFROMPARTS": _date_from_parts,
    **dict.fromkeys(("DATETIMEFROMPARTS", "DATETIME2FROMPARTS"), _datetime_from_parts),
    "ISDATE": _is_date,
    **dict.fromkeys(("SWITCHOFFSET", "TODATETIMEOFFSET"), _switch_offset),
}
