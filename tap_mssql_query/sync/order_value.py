"""The value of `order_column` in a block of rows, as the state holds it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tap_mssql_query.errors import QueryFailed
from tap_mssql_query.sql.key_range import to_key_value

if TYPE_CHECKING:
    from tap_mssql_query.sql.key_range import KeyValue

_MAX_ROUNDING = timedelta(milliseconds=10)
"""A datetime has a resolution of 1/300 s, and drivers round it, also upwards."""


def last_value(block: pa.RecordBatch, column: str) -> KeyValue | None:
    """The greatest non-NULL value, less what a driver may have rounded up; None if there is none.

    Raises QueryFailed if the column's type cannot be saved in the state.
    """
    if column not in block.schema.names:
        raise QueryFailed(f"`order_column` {column} is not in the result.")
    values = block.column(column).drop_null()
    if not len(values):
        return None
    is_timestamp = pa.types.is_timestamp(values.type)
    if is_timestamp:
        values = pc.cast(
            values.slice(len(values) - 1), pa.timestamp("us", values.type.tz), safe=False
        )
    value = values[-1].as_py()
    try:
        return to_key_value(value - _MAX_ROUNDING if is_timestamp else value)
    except ValueError as error:
        raise QueryFailed(
            f"The values of `order_column` {column} cannot be saved in the state: they are {error}."
        ) from error


def count_last(block: pa.RecordBatch, column: str) -> int:
    """How many rows have the last non-NULL value."""
    values = block.column(column).drop_null()
    return int(pc.sum(pc.equal(values, values[-1])).as_py()) if len(values) else 0
