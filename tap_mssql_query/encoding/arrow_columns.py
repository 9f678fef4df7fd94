"""Maps the Arrow schema of a result to columns and their kinds. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from tap_mssql_query.encoding.columns import Column, ColumnKind, mark_json
from tap_mssql_query.errors import QueryFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

_KINDS_OF_ARROW_TYPES = (
    (pa.types.is_boolean, ColumnKind.BOOLEAN),
    (pa.types.is_integer, ColumnKind.INTEGER),
    (pa.types.is_floating, ColumnKind.FLOAT),
    (pa.types.is_decimal, ColumnKind.DECIMAL),
    (pa.types.is_timestamp, ColumnKind.INSTANT),
    (pa.types.is_date, ColumnKind.DATE),
    (pa.types.is_time, ColumnKind.TIME),
    (pa.types.is_large_string, ColumnKind.TEXT),
    (pa.types.is_string, ColumnKind.TEXT),
    (pa.types.is_large_binary, ColumnKind.BINARY),
    (pa.types.is_binary, ColumnKind.BINARY),
)


def kind_of_arrow_type(arrow_type: pa.DataType) -> ColumnKind:
    """The kind of a result's column. Raises QueryFailed for an unsupported type."""
    for is_type, kind in _KINDS_OF_ARROW_TYPES:
        if is_type(arrow_type):
            return kind
    raise QueryFailed(f"The driver returned an unsupported column type, {arrow_type}.")


def columns_of_arrow_schema(schema: pa.Schema, json_columns: Sequence[str]) -> list[Column]:
    """The columns of a result; those in `json_columns` contain JSON."""
    kinds = ((field.name, kind_of_arrow_type(field.type)) for field in schema)
    return [mark_json(Column(name, kind), json_columns) for name, kind in kinds]
