"""The result of sp_datatype_info, from which ODBC drivers take the sizes of types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.sql_server.results import Column, ResultSet, SqlType

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAME = SqlType("nvarchar", 128)
_AFFIX = SqlType("varchar", 32)
_INT = SqlType("int")
_SMALLINT = SqlType("smallint")

COLUMNS: Sequence[Column] = (
    Column("TYPE_NAME", _NAME),
    Column("DATA_TYPE", _SMALLINT),
    Column("PRECISION", _INT),
    Column("LITERAL_PREFIX", _AFFIX),
    Column("LITERAL_SUFFIX", _AFFIX),
    Column("CREATE_PARAMS", _AFFIX),
    Column("NULLABLE", _SMALLINT),
    Column("CASE_SENSITIVE", _SMALLINT),
    Column("SEARCHABLE", _SMALLINT),
    Column("UNSIGNED_ATTRIBUTE", _SMALLINT),
    Column("MONEY", _SMALLINT),
    Column("AUTO_INCREMENT", _SMALLINT),
    Column("LOCAL_TYPE_NAME", _NAME),
    Column("MINIMUM_SCALE", _SMALLINT),
    Column("MAXIMUM_SCALE", _SMALLINT),
    Column("SQL_DATA_TYPE", _SMALLINT),
    Column("SQL_DATETIME_SUB", _SMALLINT),
    Column("NUM_PREC_RADIX", _INT),
    Column("INTERVAL_PRECISION", _SMALLINT),
    Column("USERTYPE", _SMALLINT),
)

# name, ODBC 3 type, size, literal prefix and suffix, parameters of CREATE TABLE, is text
_TYPES: Sequence[tuple[str, int, int, str | None, str | None, str | None, bool]] = (
    ("datetimeoffset", -155, 34, "'", "'", "scale", False),
    ("time", -154, 16, "'", "'", "scale", False),
    ("xml", -152, 0, "N'", "'", None, True),
    ("sql_variant", -150, 8000, None, None, None, False),
    ("uniqueidentifier", -11, 36, "'", "'", None, False),
    ("ntext", -10, 1073741823, "N'", "'", None, True),
    ("nvarchar", -9, 4000, "N'", "'", "max length", True),
    ("sysname", -9, 128, "N'", "'", None, True),
    ("nchar", -8, 4000, "N'", "'", "length", True),
    ("bit", -7, 1, None, None, None, False),
    ("tinyint", -6, 3, None, None, None, False),
    ("bigint", -5, 19, None, None, None, False),
    ("image", -4, 2147483647, "0x", None, None, False),
    ("varbinary", -3, 8000, "0x", None, "max length", False),
    ("binary", -2, 8000, "0x", None, "length", False),
    ("timestamp", -2, 8, "0x", None, None, False),
    ("text", -1, 2147483647, "'", "'", None, True),
    ("char", 1, 8000, "'", "'", "length", True),
    ("numeric", 2, 38, None, None, "precision,scale", False),
    ("decimal", 3, 38, None, None, "precision,scale", False),
    ("money", 3, 19, "$", None, None, False),
    ("smallmoney", 3, 10, "$", None, None, False),
    ("int", 4, 10, None, None, None, False),
    ("smallint", 5, 5, None, None, None, False),
    ("float", 6, 53, None, None, None, False),
    ("real", 7, 24, None, None, None, False),
    ("varchar", 12, 8000, "'", "'", "max length", True),
    ("date", 91, 10, "'", "'", None, False),
    ("datetime2", 93, 27, "'", "'", "scale", False),
    ("datetime", 93, 23, "'", "'", None, False),
    ("smalldatetime", 93, 16, "'", "'", None, False),
)
_EXACT_NUMBERS = (-7, -6, -5, 2, 3, 4, 5)
_DATETIME_CODES = {91: 1, 93: 3}  # the subcode of SQL_DATETIME, 9
_MAX_SCALE = {-155: 7, -154: 7, 2: 38, 3: 38, 93: 7}


def datatype_rows(odbc_type: int = 0) -> ResultSet:
    """The types with this ODBC 3 type number; 0 means all."""
    chosen = (row for row in _TYPES if odbc_type in (0, row[1]))
    return ResultSet(COLUMNS, (_row(*row) for row in chosen))


def _row(
    name: str, number: int, size: int, prefix: str | None, suffix: str | None, *rest: object
) -> tuple[object, ...]:
    create, is_text = rest
    is_number = number in _EXACT_NUMBERS
    code = _DATETIME_CODES.get(number)
    scale = _MAX_SCALE.get(number, 0 if is_number else None)
    searchable = 3 if number not in (-152, -10, -4, -1) else 0
    return (
        *(name, number, size, prefix, suffix, create),
        *(1, int(bool(is_text)), searchable, 0 if is_number else None),
        *(int("money" in name), 0 if is_number else None, name),
        *(0 if scale is not None else None, scale, 9 if code else number, code),
        *(10 if is_number else None, None, 0),
    )
