"""Columns of a result set and their JSON Schema. Pure.

A column's type comes from the server's description of a query that has not run (`decimal(12,2)`),
or from the Arrow type of a result. Both map to the same `ColumnKind`, which alone decides the
schema, so `--discover` and a run never differ.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_mssql_query.mssql.describe import DescribedColumn


class ColumnKind(Enum):
    """How a column's values appear in a RECORD."""

    BOOLEAN = auto()
    INTEGER = auto()
    FLOAT = auto()
    DECIMAL = auto()
    INSTANT = auto()
    DATE = auto()
    TIME = auto()
    TEXT = auto()
    BINARY = auto()
    JSON = auto()


_SCHEMAS: Mapping[ColumnKind, Mapping[str, str]] = {
    ColumnKind.BOOLEAN: {"type": "boolean"},
    ColumnKind.INTEGER: {"type": "integer"},
    ColumnKind.FLOAT: {"type": "number"},
    ColumnKind.DECIMAL: {"type": "number"},
    ColumnKind.INSTANT: {"type": "string", "format": "date-time"},
    ColumnKind.DATE: {"type": "string", "format": "date"},
    ColumnKind.TIME: {"type": "string", "format": "time"},
    ColumnKind.TEXT: {"type": "string"},
    ColumnKind.BINARY: {"type": "string", "contentEncoding": "base64"},
}
_ANY_JSON_TYPE = ["object", "array", "string", "number", "boolean", "null"]

_KINDS_OF_SQL_TYPES = {
    "bit": ColumnKind.BOOLEAN,
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), ColumnKind.INTEGER),
    **dict.fromkeys(("float", "real"), ColumnKind.FLOAT),
    **dict.fromkeys(("decimal", "numeric", "money", "smallmoney"), ColumnKind.DECIMAL),
    **dict.fromkeys(
        ("datetime", "datetime2", "smalldatetime", "datetimeoffset"), ColumnKind.INSTANT
    ),
    "date": ColumnKind.DATE,
    "time": ColumnKind.TIME,
    **dict.fromkeys(("binary", "varbinary", "image", "timestamp", "rowversion"), ColumnKind.BINARY),
    **dict.fromkeys(("char", "varchar", "text", "nchar", "nvarchar", "ntext"), ColumnKind.TEXT),
    **dict.fromkeys(("xml", "uniqueidentifier", "sysname", "json"), ColumnKind.TEXT),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a sync's result."""

    name: str
    kind: ColumnKind


def kind_of_sql_type(system_type_name: str) -> ColumnKind:
    """The kind of a type name from sp_describe_first_result_set, such as `nvarchar(50)`.

    Unknown types (sql_variant, hierarchyid, geography, user-defined types) are read as text.
    """
    name = re.match(r"\w*", system_type_name.lower())
    return _KINDS_OF_SQL_TYPES.get(name[0] if name else "", ColumnKind.TEXT)


def mark_json(column: Column, json_columns: Sequence[str]) -> Column:
    """The column, as JSON if it is a text column in `json_columns`."""
    is_json = column.name in json_columns and column.kind is ColumnKind.TEXT
    return Column(column.name, ColumnKind.JSON) if is_json else column


def columns_of_description(
    described: Iterable[DescribedColumn], json_columns: Sequence[str]
) -> list[Column]:
    """The columns of a result that the server describes, as a run would have them."""
    return [
        mark_json(Column(column.name, kind_of_sql_type(column.sql_type)), json_columns)
        for column in described
    ]


def find_name_problems(names: Iterable[str]) -> list[str]:
    """The problems of a result's column names, one sentence each.

    A RECORD is a JSON object: it cannot contain a column without a name, nor two of the same name.
    Names that differ only in case would match the same field of a call.
    """
    names = list(names)
    problems = [
        f"Column {position} has no name; give it one with AS."
        for position, name in enumerate(names, start=1)
        if not name
    ]
    for folded, count in Counter(name.casefold() for name in names if name).items():
        if count > 1:
            alike = " and ".join(f'"{name}"' for name in names if name.casefold() == folded)
            problems.append(f"{alike} cannot be in the same result; rename all but one with AS.")
    return problems


def json_schema_of(column: Column) -> dict[str, Any]:
    """JSON Schema of a value of the column; every column may be NULL."""
    if column.kind is ColumnKind.JSON:
        return {"type": _ANY_JSON_TYPE}
    schema = _SCHEMAS[column.kind]
    return {**schema, "type": [schema["type"], "null"]}


def json_schema_of_records(columns: Iterable[Column]) -> dict[str, Any]:
    """JSON Schema of a record with these columns."""
    return {
        "type": "object",
        "properties": {column.name: json_schema_of(column) for column in columns},
    }
