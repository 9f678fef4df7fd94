"""Python values as DuckDB literals, and parsing of date and time text."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sandbox.sql_server.engine.values.sql_types import (
    INT,
    MAX_PRECISION,
    decimal_type,
    family,
    is_stored_in_ticks,
    storage_type,
    type_of_value,
)
from sandbox.sql_server.engine.values.typed_sql import (
    UNTYPED_NULL,
    TypedSql,
    string_literal,
)
from sandbox.sql_server.results import SqlError, SqlType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MAX_INT = 2**31 - 1
_MIDNIGHT = time()
_YEAR_ONE = datetime(1, 1, 1)  # noqa: DTZ001 - datetime2 has no zone
_1900 = date(1900, 1, 1)
_DATETIME_TEXT = re.compile(
    r"""\s*(?:(?P<year>\d{4})-(?P<month>\d\d?)-(?P<day>\d\d?)|(?P<compact>\d{8}))?
    (?:(?:[T\s]\s*|\A)(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,7}))?)?
    \s*(?P<half>[AP]M)?)?
    \s*(?P<zone>Z|[+-]\d\d:\d\d)?\s*\Z""",
    re.IGNORECASE | re.VERBOSE,
)


def number_literal(written: str) -> TypedSql:
    """A numeric literal with T-SQL's type: int, else numeric by its digits, or float."""
    if "e" in written.lower():
        return TypedSql(f"CAST({written} AS DOUBLE)", SqlType("float"), False, float(written))
    value = Decimal(written)
    if written.isdigit() and value <= _MAX_INT:
        return TypedSql(written, INT, False, int(written))
    whole, _, fraction = written.partition(".")
    precision = max(len(whole.lstrip("0")) + len(fraction), 1)
    if precision > MAX_PRECISION:
        message = (
            f"The number '{written}' is out of the range for numeric representation "
            f"(maximum precision {MAX_PRECISION})."
        )
        raise SqlError(1007, message, severity=15)
    sql_type = decimal_type(precision, len(fraction))
    return TypedSql(f"CAST({written} AS {storage_type(sql_type)})", sql_type, False, value)


def literal(value: Any, sql_type: SqlType | None = None) -> TypedSql:
    """A value of this type, or of the type that T-SQL infers."""
    if value is None and sql_type is None:
        return UNTYPED_NULL
    sql_type = sql_type or type_of_value(value)
    in_ticks = is_stored_in_ticks(sql_type) and value is not None
    sql = _literal(value, sql_type, in_ticks=in_ticks)
    return TypedSql(sql, sql_type, value is None, constant=value, in_ticks=in_ticks)


def _literal(value: Any, sql_type: SqlType, *, in_ticks: bool) -> str:
    storage = storage_type(sql_type)
    if value is None:
        return f"CAST(NULL AS {storage})"
    if in_ticks:
        return f"CAST({ticks_of(value)} AS BIGINT)"
    if sql_type.name == "timestamp":
        value = int.from_bytes(value, "big") if isinstance(value, bytes) else value
        return f"CAST({value} AS BIGINT)"
    if family(sql_type) == "variant":
        return string_literal(tag_variant(value))
    if family(sql_type) == "offset":
        return _offset_literal(value)
    if isinstance(value, int) and family(sql_type) in ("time", "instant"):
        value = datetime_of_ticks(value)
        value = value.time() if family(sql_type) == "time" else value
    if isinstance(value, str):
        return string_literal(value)
    if isinstance(value, bytes):
        return f"unhex('{value.hex()}')"
    return f"CAST({string_literal(str(value))} AS {storage})"


def _offset_literal(value: datetime) -> str:
    minutes = (value.utcoffset() or timedelta()) // timedelta(minutes=1)
    utc = value.astimezone(UTC).replace(tzinfo=None)
    return f"{{'utc': TIMESTAMP '{utc}', 'zone': CAST({minutes} AS SMALLINT)}}"


def ticks_of(value: datetime | time | int) -> int:
    """100 ns ticks since midnight, or since 0001-01-01."""
    if isinstance(value, int):
        return value
    if isinstance(value, time):
        value = datetime.combine(date.min, value)
    return (value - _YEAR_ONE) // timedelta(microseconds=1) * 10


def datetime_of_ticks(ticks: int) -> datetime:
    """The datetime of these ticks, truncated to a microsecond."""
    return _YEAR_ONE + timedelta(microseconds=ticks // 10)


def parse_datetime(text: str) -> tuple[int, timedelta | None] | None:
    """100 ns ticks since 0001-01-01 (wall clock) and the offset; None if the text is invalid.

    A time alone is on 1900-01-01, a date alone at midnight; an empty text is 1900-01-01.
    """
    match = _DATETIME_TEXT.match(text)
    if match is None or (match["zone"] and match["hour"] is None):
        return None
    try:
        day, clock = _day(match), _clock(match)
    except ValueError:
        return None
    fraction = int((match["fraction"] or "0").ljust(7, "0"))
    whole = ticks_of(datetime.combine(day, clock)) + fraction
    return whole, _offset(match["zone"])


def _day(match: re.Match[str]) -> date:
    if match["compact"]:
        return datetime.strptime(match["compact"], "%Y%m%d").replace(tzinfo=UTC).date()
    if match["year"]:
        return date(int(match["year"]), int(match["month"]), int(match["day"]))
    return _1900


def _clock(match: re.Match[str]) -> time:
    if match["hour"] is None:
        return _MIDNIGHT
    hour = int(match["hour"])
    if match["half"]:
        hour = hour % 12 + (12 if match["half"].upper() == "PM" else 0)
    return time(hour, int(match["minute"]), int(match["second"] or 0))


def _offset(zone: str | None) -> timedelta | None:
    if zone is None:
        return None
    if zone.upper() == "Z":
        return timedelta()
    sign = -1 if zone[0] == "-" else 1
    return sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))


_TAGS: Mapping[type, str] = {
    bool: "bit", int: "int", Decimal: "numeric", float: "float", datetime: "datetime2",
    date: "date", time: "time", str: "nvarchar", bytes: "varbinary", UUID: "uniqueidentifier",
}  # fmt: skip
_READERS: Mapping[str, Callable[[str], Any]] = {
    "bit": lambda text: text in ("True", "true", "1"),
    "int": int,
    "numeric": Decimal,
    "float": float,
    "datetime2": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "varbinary": bytes.fromhex,
    "uniqueidentifier": UUID,
}


def tag_variant(value: Any) -> str:
    """The stored form of a sql_variant: its type's name, a colon, its text."""
    text = value.hex() if isinstance(value, bytes) else str(value)
    return f"{_TAGS.get(type(value), 'nvarchar')}:{text}"


def read_variant(stored: str) -> Any:
    """Read a stored sql_variant."""
    name, _, text = stored.partition(":")
    return _READERS.get(name, str)(text)


def with_offset(ticks: int, offset: timedelta | None) -> datetime:
    """An aware datetime from wall-clock ticks and an offset; UTC without one."""
    return datetime_of_ticks(ticks).replace(tzinfo=timezone(offset) if offset else UTC)
