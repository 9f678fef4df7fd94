"""Columns of a result set → JSON Schema. Pure.

Two sources say what a column is: the server's description of a query that has not run
(`decimal(12,2)`), and the Arrow type of a result. Both lead to the same `Kind`, and the kind alone
decides the schema, so that `--discover` and a run never differ.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Kind(Enum):
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


_SCHEMAS: Mapping[Kind, Mapping[str, str]] = {
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.INTEGER: {"type": "integer"},
    Kind.FLOAT: {"type": "number"},
    Kind.DECIMAL: {"type": "number"},
    Kind.INSTANT: {"type": "string", "format": "date-time"},
    Kind.DATE: {"type": "string", "format": "date"},
    Kind.TIME: {"type": "string", "format": "time"},
    Kind.TEXT: {"type": "string"},
    Kind.BINARY: {"type": "string", "contentEncoding": "base64"},
}
_ANY_JSON_TYPE = ["object", "array", "string", "number", "boolean", "null"]

_KINDS_OF_SQL_TYPES = {
    "bit": Kind.BOOLEAN,
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), Kind.INTEGER),
    **dict.fromkeys(("float", "real"), Kind.FLOAT),
    **dict.fromkeys(("decimal", "numeric", "money", "smallmoney"), Kind.DECIMAL),
    **dict.fromkeys(("datetime", "datetime2", "smalldatetime", "datetimeoffset"), Kind.INSTANT),
    "date": Kind.DATE,
    "time": Kind.TIME,
    **dict.fromkeys(("binary", "varbinary", "image", "timestamp", "rowversion"), Kind.BINARY),
    **dict.fromkeys(("char", "varchar", "text", "nchar", "nvarchar", "ntext"), Kind.TEXT),
    **dict.fromkeys(("xml", "uniqueidentifier", "sysname", "json"), Kind.TEXT),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a sync's result."""

    name: str
    kind: Kind


def kind_of_sql_type(system_type_name: str) -> Kind:
    """The kind of a type as sp_describe_first_result_set names it, such as `nvarchar(50)`.

    Unknown types (sql_variant, hierarchyid, geography, a user's own) are read as text.
    """
    name = re.match(r"\w*", system_type_name.lower())
    return _KINDS_OF_SQL_TYPES.get(name[0] if name else "", Kind.TEXT)


def mark_json(column: Column, json_columns: Sequence[str]) -> Column:
    """The column, as JSON if it is a text column that the sync names."""
    is_json = column.name in json_columns and column.kind is Kind.TEXT
    return Column(column.name, Kind.JSON) if is_json else column


def find_name_problems(names: Iterable[str]) -> list[str]:
    """What is wrong with the names of a result's columns, one sentence each.

    RECORD is a JSON object: a column without a name has no place in it, and of two of one name
    one would be lost. Names that differ only in case would match the same field of a call.
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
            problems.append(f"{alike} cannot stand side by side; rename all but one with AS.")
    return problems


def json_schema_of(column: Column) -> dict[str, Any]:
    """JSON Schema of one value of the column; every column may be NULL."""
    if column.kind is Kind.JSON:
        return {"type": _ANY_JSON_TYPE}
    schema = _SCHEMAS[column.kind]
    return {**schema, "type": [schema["type"], "null"]}


def json_schema_of_records(columns: Iterable[Column]) -> dict[str, Any]:
    """JSON Schema of the records that the columns make."""
    return {
        "type": "object",
        "properties": {column.name: json_schema_of(column) for column in columns},
    }
