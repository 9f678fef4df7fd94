"""The compatible driver: pyodbc with any ODBC driver; rows are converted to Arrow."""

from __future__ import annotations

import re
import struct
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyodbc

from tap_mssql_query.errors import QueryFailed
from tap_mssql_query.mssql.batch_size import BlockRows
from tap_mssql_query.mssql.error_messages import UNREADABLE_TYPE, error_number
from tap_mssql_query.mssql.session import MAY_BE_INSTANT, Driver

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SQL_SS_VARIANT = -150
_SQL_SS_TIMESTAMPOFFSET = -155
_SQLSTATE = re.compile(r"[0-9A-Z]{5}")

_OFFSET_DATETIME_SIZE = 26
"""The size that the driver gives for datetimeoffset(0), in characters."""
_REAL_BITS = 24
"""The precision that the driver gives for `real`; it is 53 for `float`."""

_ARROW_TYPES: dict[type, pa.DataType] = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    datetime: pa.timestamp("us"),
    date: pa.date32(),
    time: pa.time64("us"),
    str: pa.large_string(),
    bytes: pa.large_binary(),
    bytearray: pa.large_binary(),
}


def _connect(connection_string: str, login_seconds: int, query_seconds: int) -> Any:
    pyodbc.pooling = False
    connection = pyodbc.connect(connection_string, timeout=login_seconds)
    connection.timeout = query_seconds
    connection.add_output_converter(_SQL_SS_TIMESTAMPOFFSET, _decode_offset_datetime)
    connection.add_output_converter(_SQL_SS_VARIANT, _refuse_variant)
    for text_type in (pyodbc.SQL_WCHAR, pyodbc.SQL_WVARCHAR, pyodbc.SQL_WLONGVARCHAR):
        connection.add_output_converter(text_type, _decode_text)
    return connection


def registered_drivers() -> list[str]:
    """The names of the drivers registered with unixODBC."""
    return list(pyodbc.drivers())


def _explain(error: Exception) -> tuple[str, int | None, str]:
    """Errors of the driver are (SQLSTATE, text), those of pyodbc itself (text, SQLSTATE)."""
    first, *rest = (str(argument) for argument in error.args or (error,))
    if rest and _SQLSTATE.fullmatch(rest[0]):
        return rest[0], error_number(first), first
    text = (rest[0] if rest else first).removeprefix(f"[{first}]")
    return first, error_number(text), text


def _decode_text(raw: bytes) -> str:
    """Decode UTF-16 that may contain lone surrogates, which pyodbc refuses."""
    return raw.decode("utf-16-le", "replace")


def _refuse_variant(_: bytes) -> None:
    """The bytes of a sql_variant arrive without their type, so its value cannot be known."""
    raise QueryFailed(UNREADABLE_TYPE)


def _decode_offset_datetime(raw: bytes) -> datetime:
    """SQL_SS_TIMESTAMPOFFSET_STRUCT: date and time, nanoseconds, offset hours and minutes."""
    year, month, day, hour, minute, second, nanoseconds, *offset = struct.unpack("<6hI2h", raw)
    zone = timezone(timedelta(hours=offset[0], minutes=offset[1]))
    local = datetime(year, month, day, hour, minute, second, nanoseconds // 1000, zone)
    try:
        return local.astimezone(UTC)
    except OverflowError:  # in the year 0 or 10000 in UTC
        return local.replace(tzinfo=UTC)


def _blocks(cursor: Any) -> Iterator[pa.RecordBatch]:
    sizes = BlockRows(cursor.description)
    rows = cursor.fetchmany(sizes.first)
    firsts = list(zip(*rows, strict=True)) or [() for _ in cursor.description]
    schema = pa.schema(
        _field_of(first, *column) for first, column in zip(firsts, cursor.description, strict=True)
    )
    yield _block_of([], schema)
    del firsts
    while rows:
        block = _block_of(rows, schema)
        rows, count = [], sizes.after(block)
        yield block
        del block  # while the next one is fetched
        rows = cursor.fetchmany(count)


def _field_of(
    first: Sequence[Any],
    name: str,
    python_type: type,
    _display: Any,
    size: int,
    precision: int,
    scale: int,
    _null: Any,
) -> pa.Field:
    """An Arrow field from a column's first values and the seven items of PEP 249's description."""
    if python_type is Decimal:
        return pa.field(name, pa.decimal128(precision, scale))
    if python_type is float and precision == _REAL_BITS:
        return pa.field(name, pa.float32())
    # pyodbc describes a datetimeoffset as a string, but with a scale, which strings lack.
    if python_type is str and (scale or any(isinstance(value, datetime) for value in first)):
        return pa.field(name, pa.timestamp("us", tz="UTC"))
    is_unclear = (
        python_type is str
        and size == _OFFSET_DATETIME_SIZE
        and all(value is None for value in first)
    )
    return pa.field(
        name,
        _ARROW_TYPES.get(python_type, pa.large_string()),
        metadata=MAY_BE_INSTANT if is_unclear else None,
    )


def _block_of(rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*rows, strict=True) if rows else [() for _ in schema]
    arrays = [_array_of(column, field) for column, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array_of(column: Sequence[Any], field: pa.Field) -> pa.Array:
    try:
        return pa.array(column, type=field.type)
    except pa.ArrowTypeError:
        # A datetimeoffset(0) column whose first rows were all NULL looked like a string column.
        texts = [
            f"{value:%Y-%m-%dT%H:%M:%S}Z" if isinstance(value, datetime) else value
            for value in column
        ]
        return pa.array(texts, type=field.type)


DRIVER = Driver(
    connect=_connect, errors=(pyodbc.Error, pyodbc.Warning), explain=_explain, blocks=_blocks
)
