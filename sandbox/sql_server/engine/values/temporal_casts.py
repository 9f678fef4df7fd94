"""Conversions to dates and times, with SQL Server's rounding: 1/300 s, minutes, n digits."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.sql_server.engine.values.literals import (
    datetime_of_ticks,
    literal,
    parse_datetime,
    with_offset,
)
from sandbox.sql_server.engine.values.sql_types import TEMPORAL, family
from sandbox.sql_server.engine.values.typed_sql import (
    NOT_CONSTANT,
    TypedSql,
    error_sql,
    failing_expression,
    native,
)
from sandbox.sql_server.results import SqlError, SqlType

if TYPE_CHECKING:
    from collections.abc import Callable

_YEAR_ONE_MICROS = 62_135_596_800_000_000
_TICKS_PER_DAY = 864_000_000_000
_FIRST_DAY_OF_DATETIME, _LAST_DAY_OF_DATETIME = -53_690, 2_958_463  # 1753-01-01, 9999-12-31
_NOT_A_DATETIME = SqlError(
    241, "Conversion failed when converting date and/or time from character string."
)
_TEXT_FORMATS = "['%Y%m%d', '%Y%m%d %H:%M:%S', '%Y%m%d %H:%M:%S.%f', '%Y%m%d %H:%M']"


def scale_of(sql_type: SqlType) -> int:
    """Fractional digits of a second that the type stores, at most 7."""
    return {"datetime": 3, "smalldatetime": 0, "date": 0}.get(sql_type.name, sql_type.scale)


def wall_clock(expr: TypedSql) -> TypedSql:
    """A date or time without offset, in DuckDB's own type; of a datetimeoffset, its wall clock."""
    if expr.family != "offset":
        return native(expr)
    sql = f"({expr.sql}.utc + to_minutes({expr.sql}.zone))"
    return replace(expr, sql=sql, type=SqlType("datetime2", scale=min(expr.type.scale, 6)))


def to_temporal(expr: TypedSql, target: SqlType, *, is_safe: bool = False) -> TypedSql:
    """Convert to a date or time type."""
    if expr.family == "text":
        return _from_text(expr, target, is_safe=is_safe)
    if expr.family in TEMPORAL:
        return _from_temporal(expr, target)
    return _from_days(expr, target)


def _from_text(expr: TypedSql, target: SqlType, *, is_safe: bool) -> TypedSql:
    if isinstance(expr.constant, str):
        value = _read(expr.constant, target)
        if value is None and not is_safe:
            return failing_expression(_NOT_A_DATETIME, target)
        return replace(literal(value, target), nullable=value is None)
    storage = {"date": "TIMESTAMP", "time": "TIME"}.get(family(target), "TIMESTAMP")
    tried = f"TRY_CAST({expr.sql} AS {storage})"
    if storage == "TIMESTAMP":
        tried = f"coalesce({tried}, try_strptime({expr.sql}, {_TEXT_FORMATS}))"
    if not is_safe:
        failed = error_sql(_NOT_A_DATETIME.number, _NOT_A_DATETIME.message)
        tried = f"coalesce({tried}, CASE WHEN {expr.sql} IS NOT NULL THEN {failed} END)"
    source = SqlType("time" if storage == "TIME" else "datetime2", scale=6)
    return _from_temporal(replace(expr, sql=tried, type=source, constant=NOT_CONSTANT), target)


def _read(text: str, target: SqlType) -> Any:
    """Parse constant text as a value of this type, rounded; None if it is invalid."""
    instant = parse_datetime(text)
    if instant is None:
        return None
    ticks = round_ticks(instant[0], target)
    match family(target):
        case "date":
            return datetime_of_ticks(instant[0]).date()
        case "time":
            return ticks % _TICKS_PER_DAY
        case "offset":
            return with_offset(ticks, instant[1])
    return ticks if target.name == "datetime2" else datetime_of_ticks(ticks)


def round_ticks(ticks: int, sql_type: SqlType) -> int:
    """Round 100 ns ticks to the type's precision."""
    if sql_type.name == "datetime":
        increments = (ticks * 3 + 50_000) // 100_000
        return (increments * 10 + 1) // 3 * 10_000
    unit: int = 600_000_000 if sql_type.name == "smalldatetime" else 10 ** (7 - scale_of(sql_type))
    return (ticks + unit // 2) // unit * unit


def _from_temporal(expr: TypedSql, target: SqlType) -> TypedSql:
    if expr.in_ticks and target == expr.type:
        return expr
    if (expr.family, family(target)) in (("date", "time"), ("time", "date")):
        clash = f"Operand type clash: {expr.type.name} is incompatible with {target.name}"
        raise SqlError(206, clash)
    if expr.family == family(target) == "offset":
        return replace(expr, type=target)
    sql = _KINDS[family(target)](wall_clock(expr), target)
    return TypedSql(sql, target, expr.nullable)


def _as_date(expr: TypedSql, _: SqlType) -> str:
    return f"CAST({expr.sql} AS DATE)"


def _as_time(expr: TypedSql, target: SqlType) -> str:
    if expr.family == "time" and scale_of(expr.type) <= target.scale:
        return expr.sql
    instant = expr.sql if expr.family != "time" else f"(DATE '1900-01-01' + {expr.sql})"
    return f"CAST({_rounded(instant, replace(expr.type), target)} AS TIME)"


def _as_instant(expr: TypedSql, target: SqlType) -> str:
    sql = f"(DATE '1900-01-01' + {expr.sql})" if expr.family == "time" else expr.sql
    return _rounded(f"CAST({sql} AS TIMESTAMP)", expr.type, target)


def _as_offset(expr: TypedSql, target: SqlType) -> str:
    return f"{{'utc': {_as_instant(expr, target)}, 'zone': CAST(0 AS SMALLINT)}}"


_KINDS: dict[str, Callable[[TypedSql, SqlType], str]] = {
    "date": _as_date,
    "time": _as_time,
    "instant": _as_instant,
    "offset": _as_offset,
}


def _rounded(sql: str, source: SqlType, target: SqlType) -> str:
    """Round a TIMESTAMP to the target's digits, if the source has more."""
    scale = min(scale_of(target), 6)
    if source == target or (target.name == "datetime" and source.name == "smalldatetime"):
        return sql
    micros = f"(epoch_us({sql}) + {_YEAR_ONE_MICROS})"
    if target.name == "datetime" and source.name != "date":
        milliseconds = f"((({micros} * 3 + 5000) // 10000 * 10 + 1) // 3)"
        return f"make_timestamp({milliseconds} * 1000 - {_YEAR_ONE_MICROS})"
    if target.name != "smalldatetime" and min(scale_of(source), 6) <= scale:
        return sql
    unit = 60_000_000 if target.name == "smalldatetime" else 10 ** (6 - scale)
    return f"make_timestamp(({micros} + {unit // 2}) // {unit} * {unit} - {_YEAR_ONE_MICROS})"


def _from_days(expr: TypedSql, target: SqlType) -> TypedSql:
    """Convert a number of days since 1900, which only datetime and smalldatetime accept."""
    if target.name not in ("datetime", "smalldatetime"):
        clash = f"Operand type clash: {expr.type.name} is incompatible with {target.name}"
        raise SqlError(206, clash)
    overflow = SqlError(
        8115, f"Arithmetic overflow error converting expression to data type {target.name}."
    )
    if isinstance(expr.constant, int):
        if not _FIRST_DAY_OF_DATETIME <= expr.constant <= _LAST_DAY_OF_DATETIME:
            return failing_expression(overflow, target)
        first = datetime(1900, 1, 1)  # noqa: DTZ001 - SQL Server's datetime has no zone
        return replace(literal(first + timedelta(days=expr.constant), target), nullable=False)
    days = f"CAST({expr.sql} AS DOUBLE)"
    bounds = f"{_FIRST_DAY_OF_DATETIME} AND {_LAST_DAY_OF_DATETIME}"
    micros = f"CAST(round({days} * 86400000000) AS BIGINT)"
    instant = f"(TIMESTAMP '1900-01-01' + to_microseconds({micros}))"
    sql = (
        f"CASE WHEN {days} NOT BETWEEN {bounds} THEN {error_sql(8115, overflow.message)} "
        f"ELSE {_rounded(instant, SqlType('datetime2', scale=7), target)} END"
    )
    return TypedSql(sql, target, expr.nullable)
