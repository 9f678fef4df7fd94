"""Bulk-loads rows of Python values into a table, without T-SQL."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from sandbox.sql_server.engine.catalog.object_names import parse_object_name
from sandbox.sql_server.engine.catalog.schema_objects import SCHEMA, Table
from sandbox.sql_server.engine.execution.duckdb_errors import sql_error
from sandbox.sql_server.engine.values.literals import datetime_of_ticks, tag_variant, ticks_of
from sandbox.sql_server.engine.values.sql_types import digits, family, is_stored_in_ticks
from sandbox.sql_server.engine.values.surrogates import encode_surrogates
from sandbox.sql_server.engine.values.temporal_casts import round_ticks
from sandbox.sql_server.engine.values.typed_sql import quote
from sandbox.sql_server.engine.writes.insert import next_value
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sandbox.sql_server.engine.catalog.instance import Instance
    from sandbox.sql_server.engine.catalog.schema_objects import TableColumn
    from sandbox.sql_server.results import SqlType

_ROWS_AT_ONCE = 50_000
_VIEW = "rows to load"
_WIDE = Context(prec=76)
_OFFSET = pa.struct([("utc", pa.timestamp("us")), ("zone", pa.int16())])
_ARROW = {
    "bit": pa.bool_(), "tinyint": pa.uint8(), "smallint": pa.int16(), "int": pa.int32(),
    "bigint": pa.int64(), "float": pa.float64(), "real": pa.float32(), "date": pa.date32(),
    "uniqueidentifier": pa.string(), "timestamp": pa.int64(), "datetimeoffset": _OFFSET,
}  # fmt: skip


def load_rows(
    instance: Instance, database: str, table_name: str, rows: Iterable[Sequence[Any]]
) -> None:
    """Insert rows in chunks.

    Raises:
        SqlError: unknown table, or a row violates a constraint.
    """
    table = _find(instance, database, table_name)
    cursor = instance.cursor()
    chunk: list[Sequence[Any]] = []
    try:
        for row in rows:
            chunk.append(row)
            if len(chunk) == _ROWS_AT_ONCE:
                _insert(cursor, table, chunk)
                chunk = []
        if chunk:
            _insert(cursor, table, chunk)
    except duckdb.Error as error:
        raise sql_error(error, table, database) from error
    finally:
        cursor.close()


def _find(instance: Instance, database: str, table_name: str) -> Table:
    name = parse_object_name(table_name)
    found = instance.databases.get(database.lower())
    table = found.objects.find(name.schema or SCHEMA, name.name) if found else None
    if not isinstance(table, Table):
        raise SqlError(208, f"Invalid object name '{table_name}'.")
    return table


def _insert(cursor: duckdb.DuckDBPyConnection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    columns = list(zip(*rows, strict=True))
    if len(columns) != len(table.columns):
        message = "Column name or number of supplied values does not match table definition."
        raise SqlError(213, message)
    arrays = [_array(c, values) for c, values in zip(table.columns, columns, strict=True)]
    names = [column.name for column in table.columns]
    cursor.register(_VIEW, pa.table(arrays, names=names))
    values = ", ".join(_value(column) for column in table.columns)
    written = ", ".join(quote(name) for name in names)
    try:
        cursor.execute(
            f"INSERT INTO {table.duckdb_name} ({written}) SELECT {values} FROM {quote(_VIEW)}"
        )
    finally:
        cursor.unregister(_VIEW)


def _value(column: TableColumn) -> str:
    if column.sequence is not None:
        return f"coalesce({quote(column.name)}, {next_value(column.sequence)})"
    return quote(column.name)


def _array(column: TableColumn, values: Sequence[Any]) -> pa.Array:
    convert = _converter(column.type)
    if convert is not None:
        values = [None if value is None else convert(value) for value in values]
    return pa.array(values, type=_arrow_type(column.type))


def _arrow_type(sql_type: SqlType) -> pa.DataType:
    if is_stored_in_ticks(sql_type):
        return pa.int64()
    match family(sql_type):
        case "text" | "variant":
            return pa.string()
        case "decimal":
            return pa.decimal128(*digits(sql_type))
        case "binary":
            return pa.binary()
        case "time":
            return pa.time64("us")
    return _ARROW.get(sql_type.name, pa.timestamp("us"))


def _converter(sql_type: SqlType) -> Callable[[Any], Any] | None:
    """A function from a value of `results` to Arrow's; None if Arrow takes it as it is."""
    if is_stored_in_ticks(sql_type):
        return ticks_of
    if sql_type.name == "binary":
        return lambda value: value.ljust(sql_type.length or 0, b"\0")
    unit = Decimal(1).scaleb(-digits(sql_type)[1])
    match family(sql_type):
        case "text":
            is_padded = sql_type.name in ("char", "nchar")
            return (lambda v: encode_surrogates(v).rstrip(" ")) if is_padded else encode_surrogates
        case "variant":
            return lambda value: encode_surrogates(tag_variant(value))
        case "decimal":
            return lambda value: value.quantize(unit, ROUND_HALF_UP, _WIDE)
        case "instant" | "time":
            return lambda value: _rounded(value, sql_type)
        case "offset":
            return _offset
        case "rowversion":
            return lambda value: int.from_bytes(value, "big")
        case "guid":
            return str
    return None


def _offset(value: datetime) -> dict[str, Any]:
    zone = value.utcoffset() or timedelta()
    utc = value.astimezone(UTC).replace(tzinfo=None)
    return {"utc": utc, "zone": zone // timedelta(minutes=1)}


def _rounded(value: datetime | time | int, sql_type: SqlType) -> datetime | time:
    instant = datetime_of_ticks(round_ticks(ticks_of(value), sql_type))
    return instant.time() if family(sql_type) == "time" else instant
