"""SQL Server's types: families, precedence, sizes, and how DuckDB stores each.

Unusual representations: datetime2(7) and time(7) columns hold 100 ns ticks, a
datetimeoffset is a struct of UTC time and offset, a timestamp (rowversion) is an integer,
a sql_variant is tagged text, char and nchar are stored without padding.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sandbox.sql_server.results import SqlError, SqlType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INT, BIGINT, BIT, FLOAT = SqlType("int"), SqlType("bigint"), SqlType("bit"), SqlType("float")
DATE, DATETIME = SqlType("date"), SqlType("datetime")
SYSNAME = SqlType("nvarchar", 128)
NVARCHAR_MAX, VARCHAR_MAX = SqlType("nvarchar", None), SqlType("varchar", None)
MAX_PRECISION = 38
MAX_SCALE_OF_TIME = 7

_PRECEDENCE = (
    "sql_variant", "xml", "datetimeoffset", "datetime2", "datetime", "smalldatetime", "date",
    "time", "float", "real", "decimal", "money", "smallmoney", "bigint", "int", "smallint",
    "tinyint", "bit", "ntext", "text", "image", "timestamp", "uniqueidentifier", "nvarchar",
    "nchar", "varchar", "char", "varbinary", "binary",
)  # fmt: skip
_RANK = {name: -index for index, name in enumerate(_PRECEDENCE)} | {
    "numeric": -_PRECEDENCE.index("decimal")
}

FAMILIES: Mapping[str, str] = {
    name: family
    for family, names in {
        "bit": "bit",
        "integer": "tinyint smallint int bigint",
        "decimal": "decimal numeric money smallmoney",
        "float": "float real",
        "text": "char varchar text nchar nvarchar ntext xml",
        "binary": "binary varbinary image",
        "rowversion": "timestamp",
        "guid": "uniqueidentifier",
        "date": "date",
        "time": "time",
        "instant": "datetime smalldatetime datetime2",
        "offset": "datetimeoffset",
        "variant": "sql_variant",
    }.items()
    for name in names.split()
}
NUMBERS = frozenset({"bit", "integer", "decimal", "float"})
TEMPORAL = frozenset({"date", "time", "instant", "offset"})
"""The families of dates and times."""
LEGACY_DATETIMES = ("datetime", "smalldatetime")
"""Types that convert from and to a number of days."""

_SYNONYMS = {
    "rowversion": "timestamp",
    "integer": "int",
    "dec": "decimal",
    "character": "char",
    "sysname": "nvarchar",
    "double": "float",
}
_SIZED = frozenset({"char", "varchar", "nchar", "nvarchar", "binary", "varbinary"})
_SCALED_TIMES = frozenset({"time", "datetime2", "datetimeoffset"})
_UNICODE = frozenset({"nchar", "nvarchar", "ntext", "xml"})
_INTEGER_DIGITS = {"bit": 1, "tinyint": 3, "smallint": 5, "int": 10, "bigint": 19}
_MONEY = {"money": (19, 4), "smallmoney": (10, 4)}
_STORAGE = {
    "bit": "BOOLEAN",
    "tinyint": "UTINYINT",
    "smallint": "SMALLINT",
    "int": "INTEGER",
    "bigint": "BIGINT",
    "float": "DOUBLE",
    "real": "FLOAT",
    "date": "DATE",
    "datetime": "TIMESTAMP",
    "smalldatetime": "TIMESTAMP",
    "datetimeoffset": "STRUCT(utc TIMESTAMP, zone SMALLINT)",
    "uniqueidentifier": "UUID",
    "timestamp": "BIGINT",
}


def family(sql_type: SqlType) -> str:
    """The group of types that convert and compare alike."""
    return FAMILIES[sql_type.name]


def is_unicode(sql_type: SqlType) -> bool:
    """Whether it is an n-type, whose length counts UTF-16 code units."""
    return sql_type.name in _UNICODE


def declared_type(name: str, arguments: Sequence[str] = (), default_length: int = 1) -> SqlType:
    """Parse a type written in T-SQL as `name(arguments)`.

    Raises:
        SqlError: unknown type.
    """
    written, name = name, _SYNONYMS.get(name.lower(), name.lower())
    if name not in FAMILIES:
        raise SqlError(243, f"Type {written} is not a defined system type.")
    if written.lower() == "sysname":
        return SYSNAME
    sizes = [None if text.lower() == "max" else int(text) for text in arguments]
    if name in _SIZED:
        return SqlType(name, sizes[0] if sizes else default_length)
    first = sizes[0] if sizes else None
    if name in ("decimal", "numeric"):
        return decimal_type(first or 18, (sizes[1:] or [0])[0] or 0, name)
    if name in _SCALED_TIMES:
        return SqlType(name, scale=MAX_SCALE_OF_TIME if first is None else first)
    if name == "float" and first is not None and first <= 24:
        return SqlType("real")
    return SqlType(name)


def decimal_type(precision: int, scale: int, name: str = "numeric") -> SqlType:
    """A decimal type; beyond 38 digits the scale is reduced, to 6 at least, as in SQL Server."""
    if precision > MAX_PRECISION:
        scale = max(scale - (precision - MAX_PRECISION), min(scale, 6))
    return SqlType(name, precision=min(precision, MAX_PRECISION), scale=scale)


def digits(sql_type: SqlType) -> tuple[int, int]:
    """Precision and scale of an exact numeric type."""
    if sql_type.name in _INTEGER_DIGITS:
        return _INTEGER_DIGITS[sql_type.name], 0
    return _MONEY.get(sql_type.name, (sql_type.precision, sql_type.scale))


def storage_type(sql_type: SqlType) -> str:
    """DuckDB's type for values in expressions, where times use DuckDB's own types."""
    match family(sql_type):
        case "decimal":
            precision, scale = digits(sql_type)
            return f"DECIMAL({precision}, {scale})"
        case "text" | "variant":
            return "VARCHAR"
        case "binary":
            return "BLOB"
        case "time":
            return "TIME"
    return _STORAGE.get(sql_type.name, "TIMESTAMP")


def is_stored_in_ticks(sql_type: SqlType) -> bool:
    """Whether a column stores 100 ns ticks, because DuckDB's microseconds are too coarse."""
    return sql_type.name in ("time", "datetime2") and sql_type.scale == MAX_SCALE_OF_TIME


def column_storage(sql_type: SqlType) -> str:
    """DuckDB's type of a table column."""
    if is_stored_in_ticks(sql_type):
        return "BIGINT"
    storage = storage_type(sql_type)
    return f"{storage} COLLATE NOCASE" if family(sql_type) == "text" else storage


def common_type(first: SqlType, second: SqlType) -> SqlType:
    """The common type of two values: the higher precedence, wide enough for both."""
    if _RANK[first.name] < _RANK[second.name]:
        first, second = second, first
    kinds = family(first), family(second)
    if first.name in ("decimal", "numeric") and kinds[1] in ("bit", "integer", "decimal"):
        return _common_decimal(first, second)
    if kinds == ("text", "text"):
        return _common_text(first, second)
    if kinds == ("binary", "binary"):
        return replace(first, length=_longer(first, second))
    if first.name in _SCALED_TIMES and second.name in _SCALED_TIMES:
        return replace(first, scale=max(first.scale, second.scale))
    if first.name == "datetime2" and second.name == "datetime":
        return replace(first, scale=max(first.scale, 3))
    return first


def _common_decimal(first: SqlType, second: SqlType) -> SqlType:
    (p1, s1), (p2, s2) = digits(first), digits(second)
    scale = max(s1, s2)
    return decimal_type(max(p1 - s1, p2 - s2) + scale, scale, first.name)


def _common_text(first: SqlType, second: SqlType) -> SqlType:
    if first.name in ("xml", "text", "ntext"):
        return first
    varies = "var" in first.name or "var" in second.name or first.length != second.length
    prefix = "n" if is_unicode(first) or is_unicode(second) else ""
    name = prefix + ("varchar" if varies else "char")
    return SqlType(name, _longer(first, second))


def _longer(first: SqlType, second: SqlType) -> int | None:
    if first.length is None or second.length is None:
        return None
    if first.name in ("text", "ntext") or second.name in ("text", "ntext"):
        return None
    return max(first.length, second.length)


def type_of_value(value: Any) -> SqlType:
    """The type of a parameter given as a Python value."""
    if isinstance(value, str):
        units = len(value.encode("utf-16-le", "surrogatepass")) // 2
        return SqlType("nvarchar", max(units, 1) if units <= 4000 else None)
    if isinstance(value, bytes):
        return SqlType("varbinary", max(len(value), 1) if len(value) <= 8000 else None)
    if isinstance(value, bool):
        return BIT
    if isinstance(value, int):
        return INT if -(2**31) <= value < 2**31 else BIGINT
    if isinstance(value, Decimal):
        return _type_of_decimal(value)
    if isinstance(value, datetime):
        name = "datetime2" if value.tzinfo is None else "datetimeoffset"
        return SqlType(name, scale=MAX_SCALE_OF_TIME)
    plain = {float: FLOAT, date: DATE, time: SqlType("time", scale=7)}
    return plain.get(type(value)) or SqlType(
        "uniqueidentifier" if value.__class__ is UUID else "int"
    )


def _type_of_decimal(value: Decimal) -> SqlType:
    _, figures, exponent = value.as_tuple()
    scale = max(-int(exponent), 0)
    precision = max(len(figures) + max(int(exponent), 0), scale, 1)
    return SqlType("numeric", precision=min(precision, MAX_PRECISION), scale=scale)
