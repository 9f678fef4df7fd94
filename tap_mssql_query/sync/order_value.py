"""The value of `order_column` in a block of rows, as the state holds it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tap_mssql_query.errors import QueryFailed
from tap_mssql_query.sql.key_range import value_of

if TYPE_CHECKING:
    from tap_mssql_query.sql.key_range import Value

_TICK = timedelta(milliseconds=10)
"""A datetime is a 300th of a second, and what a driver shows of it is rounded, also up."""


def last_value(block: pa.RecordBatch, column: str) -> Value | None:
    """The greatest value that is no NULL, or a little less; None if there is none.

    Raises QueryFailed if the column has no type that can be noted.
    """
    if column not in block.schema.names:
        raise QueryFailed(f"`order_column` {column} is not in the result.")
    values = block.column(column).drop_null()
    if not len(values):
        return None
    if pa.types.is_timestamp(values.type):
        values = pc.cast(
            values.slice(len(values) - 1), pa.timestamp("us", values.type.tz), safe=False
        )
    value = values[-1].as_py()
    try:
        return value_of(value - _TICK if pa.types.is_timestamp(values.type) else value)
    except ValueError as error:
        raise QueryFailed(f"`order_column` {column} cannot be noted: it is {error}.") from error
