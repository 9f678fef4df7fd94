"""The compatible driver: pyodbc with any ODBC driver; rows are gathered into Arrow blocks."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyodbc

from tap_mssql_query.readers import BLOCK_ROWS, Driver

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SQL_SS_TIMESTAMPOFFSET = -155

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
    return connection


def registered_drivers() -> list[str]:
    """Names of the drivers that unixODBC knows."""
    return list(pyodbc.drivers())


def _explain(error: Exception) -> tuple[str, str]:
    """Pyodbc's exceptions carry the SQLSTATE first and the text second."""
    state = str(error.args[0]) if error.args else ""
    text = str(error.args[1]) if len(error.args) > 1 else str(error)
    return state, text.removeprefix(f"[{state}]")


def _decode_offset_datetime(raw: bytes) -> datetime:
    """SQL_SS_TIMESTAMPOFFSET_STRUCT: date and time, nanoseconds, offset hours and minutes."""
    year, month, day, hour, minute, second, nanoseconds, *offset = struct.unpack("<6hI2h", raw)
    zone = timezone(timedelta(hours=offset[0], minutes=offset[1]))
    local = datetime(year, month, day, hour, minute, second, nanoseconds // 1000, zone)
    return local.astimezone(UTC)


def _blocks(cursor: Any) -> Iterator[pa.RecordBatch]:
    schema = pa.schema(_field_of(*column) for column in cursor.description)
    yield _block_of([], schema)
    while rows := cursor.fetchmany(BLOCK_ROWS):
        yield _block_of(rows, schema)


def _field_of(
    name: str, python_type: type, _display: Any, _size: Any, precision: int, scale: int, _null: Any
) -> pa.Field:
    """An Arrow field from PEP 249's seven items of a column's description."""
    if python_type is Decimal:
        return pa.field(name, pa.decimal128(precision, scale))
    return pa.field(name, _ARROW_TYPES.get(python_type, pa.large_string()))


def _block_of(rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*rows, strict=True) if rows else [() for _ in schema]
    arrays = [
        pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


DRIVER = Driver(connect=_connect, errors=(pyodbc.Error,), explain=_explain, blocks=_blocks)
