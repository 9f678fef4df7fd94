"""System views: information_schema and sys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.sql_server.engine.catalog.schema_objects import FIRST_OBJECT_ID, SCHEMA, Table
from sandbox.sql_server.engine.translation.name_scopes import Field
from sandbox.sql_server.engine.values.literals import literal
from sandbox.sql_server.engine.values.sql_types import BIT, INT, SYSNAME, digits, family
from sandbox.sql_server.engine.values.typed_sql import quote
from sandbox.sql_server.results import SqlType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sandbox.sql_server.engine.catalog.execution_context import ExecutionContext
    from sandbox.sql_server.engine.catalog.object_names import ObjectName
    from sandbox.sql_server.engine.catalog.schema_objects import SchemaObjects, TableColumn

_YES_NO = SqlType("varchar", 3)
_TYPE_NAME = SqlType("varchar", 10)


@dataclass(frozen=True, slots=True)
class SystemView:
    """A view whose rows are computed when it is used."""

    fields: tuple[Field, ...]
    rows: Sequence[tuple[Any, ...]]

    @property
    def sql(self) -> str:
        """DuckDB SQL for the rows."""
        lines = [f"({self._line(row)})" for row in self.rows]
        if lines:
            return f"(VALUES {', '.join(lines)})"
        nulls = ", ".join(literal(None, f.type).sql for f in self.fields)
        return f"(SELECT {nulls} WHERE false)"

    def _line(self, row: tuple[Any, ...]) -> str:
        pairs = zip(row, self.fields, strict=True)
        return ", ".join(literal(value, field.type).sql for value, field in pairs)

    @property
    def column_list(self) -> str:
        """The column names for DuckDB."""
        return ", ".join(quote(f.name) for f in self.fields)


def find_system_view(name: ObjectName, context: ExecutionContext) -> SystemView | None:
    """The system view of this name, or None."""
    found = _VIEWS.get((name.schema.lower(), name.name.lower()))
    database = context.find_database(name.database)
    if found is None or database is None:
        return None
    columns, rows = found
    return SystemView(tuple(Field(n, t) for n, t in columns.items()), list(rows(name, context)))


def _objects(name: ObjectName, context: ExecutionContext) -> SchemaObjects:
    database = context.find_database(name.database)
    assert database is not None  # noqa: S101 - checked by the caller
    return database.objects


def _database_name(name: ObjectName, context: ExecutionContext) -> str:
    database = context.find_database(name.database)
    return database.name if database else ""


def _tables(name: ObjectName, context: ExecutionContext) -> Iterator[tuple[Any, ...]]:
    catalog = _database_name(name, context)
    for entry in _objects(name, context).all():
        kind = "BASE TABLE" if isinstance(entry, Table) else "VIEW"
        yield catalog, entry.schema, entry.name, kind


def _columns(name: ObjectName, context: ExecutionContext) -> Iterator[tuple[Any, ...]]:
    catalog = _database_name(name, context)
    for entry in _objects(name, context).all():
        if isinstance(entry, Table):
            for position, column in enumerate(entry.columns, start=1):
                yield catalog, entry.schema, entry.name, *_described(column, position)


def _described(column: TableColumn, position: int) -> tuple[Any, ...]:
    kind = family(column.type)
    length = None
    if kind in ("text", "binary"):
        length = -1 if column.type.length is None else column.type.length
    exact = digits(column.type) if kind in ("integer", "decimal") else (None, None)
    scale = column.type.scale if kind in ("time", "instant", "offset") else None
    nullable = "YES" if column.nullable else "NO"
    return column.name, position, column.default, nullable, column.type.name, length, *exact, scale


def _databases(_: ObjectName, context: ExecutionContext) -> Iterator[tuple[Any, ...]]:
    for database in context.databases.values():
        yield database.name, database.number, 160, "ONLINE", "SQL_Latin1_General_CP1_CI_AS", False


def _sys_objects(name: ObjectName, context: ExecutionContext) -> Iterator[tuple[Any, ...]]:
    for number, entry in enumerate(_objects(name, context).all(), start=1):
        is_table = isinstance(entry, Table)
        kind = ("U ", "USER_TABLE") if is_table else ("V ", "VIEW")
        yield entry.name, FIRST_OBJECT_ID + number, 1, *kind


def _sys_tables(name: ObjectName, context: ExecutionContext) -> Iterator[tuple[Any, ...]]:
    return (row for row in _sys_objects(name, context) if row[3] == "U ")


def _sys_columns(name: ObjectName, context: ExecutionContext) -> Iterator[tuple[Any, ...]]:
    for number, entry in enumerate(_objects(name, context).all(), start=1):
        for position, column in enumerate(entry.columns if isinstance(entry, Table) else (), 1):
            assert not isinstance(column, str)  # noqa: S101 - only views have bare column names
            precision, scale = digits(column.type)
            row = (
                FIRST_OBJECT_ID + number,
                column.name,
                position,
                column.type.name,
                precision,
                scale,
            )
            yield *row, column.nullable, column.is_identity


def _schemas(_: ObjectName, __: ExecutionContext) -> Iterator[tuple[Any, ...]]:
    yield SCHEMA, 1


_OBJECT_COLUMNS = {"name": SYSNAME, "object_id": INT, "schema_id": INT,
                   "type": SqlType("char", 2), "type_desc": SYSNAME}  # fmt: skip
_TABLE_NAME = {"TABLE_CATALOG": SYSNAME, "TABLE_SCHEMA": SYSNAME, "TABLE_NAME": SYSNAME}
_VIEWS: Mapping[
    tuple[str, str],
    tuple[
        Mapping[str, SqlType],
        Callable[[ObjectName, ExecutionContext], Iterator[tuple[Any, ...]]],
    ],
] = {
    ("information_schema", "tables"): ({**_TABLE_NAME, "TABLE_TYPE": _TYPE_NAME}, _tables),
    ("information_schema", "columns"): (
        {
            **_TABLE_NAME,
            "COLUMN_NAME": SYSNAME,
            "ORDINAL_POSITION": INT,
            "COLUMN_DEFAULT": SqlType("nvarchar", 4000),
            "IS_NULLABLE": _YES_NO,
            "DATA_TYPE": SYSNAME,
            "CHARACTER_MAXIMUM_LENGTH": INT,
            "NUMERIC_PRECISION": INT,
            "NUMERIC_SCALE": INT,
            "DATETIME_PRECISION": INT,
        },
        _columns,
    ),
    ("sys", "databases"): (
        {
            "name": SYSNAME,
            "database_id": INT,
            "compatibility_level": INT,
            "state_desc": SYSNAME,
            "collation_name": SYSNAME,
            "is_read_only": BIT,
        },
        _databases,
    ),
    ("sys", "objects"): (_OBJECT_COLUMNS, _sys_objects),
    ("sys", "tables"): (_OBJECT_COLUMNS, _sys_tables),
    ("sys", "columns"): (
        {
            "object_id": INT,
            "name": SYSNAME,
            "column_id": INT,
            "type_name": SYSNAME,
            "precision": INT,
            "scale": INT,
            "is_nullable": BIT,
            "is_identity": BIT,
        },
        _sys_columns,
    ),
    ("sys", "schemas"): ({"name": SYSNAME, "schema_id": INT}, _schemas),
}
