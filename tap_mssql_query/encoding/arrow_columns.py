"""Columns of a result as Arrow shows them → columns with their kinds. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from tap_mssql_query.encoding.columns import Column, Kind, mark_json
from tap_mssql_query.errors import QueryFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

_KINDS_OF_ARROW_TYPES = (
    (pa.types.is_boolean, Kind.BOOLEAN),
    (pa.types.is_integer, Kind.INTEGER),
    (pa.types.is_floating, Kind.FLOAT),
    (pa.types.is_decimal, Kind.DECIMAL),
    (pa.types.is_timestamp, Kind.INSTANT),
    (pa.types.is_date, Kind.DATE),
    (pa.types.is_time, Kind.TIME),
    (pa.types.is_large_string, Kind.TEXT),
    (pa.types.is_string, Kind.TEXT),
    (pa.types.is_large_binary, Kind.BINARY),
    (pa.types.is_binary, Kind.BINARY),
)


def kind_of_arrow_type(arrow_type: pa.DataType) -> Kind:
    """The kind of a result's column. Raises QueryFailed for a type that no reader yields."""
    for is_type, kind in _KINDS_OF_ARROW_TYPES:
        if is_type(arrow_type):
            return kind
    raise QueryFailed(f"The driver returned an unsupported column type, {arrow_type}.")


def columns_of_arrow_schema(schema: pa.Schema, json_columns: Sequence[str]) -> list[Column]:
    """Columns of a result; those named in `json_columns` hold JSON."""
    kinds = ((field.name, kind_of_arrow_type(field.type)) for field in schema)
    return [mark_json(Column(name, kind), json_columns) for name, kind in kinds]
