"""CREATE TABLE as columns and constraints, without running it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from sandbox.sql_server.engine.catalog.execution_context import TEMPORARY_CATALOG
from sandbox.sql_server.engine.catalog.schema_objects import SCHEMA, Table, TableColumn
from sandbox.sql_server.engine.translation.expressions import type_of_node
from sandbox.sql_server.engine.values.sql_types import column_storage
from sandbox.sql_server.engine.values.typed_sql import quote
from sandbox.sql_server.engine.writes.insert import default_value
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sandbox.sql_server.engine.catalog.object_names import ObjectName
    from sandbox.sql_server.engine.catalog.schema_objects import Database
    from sandbox.sql_server.engine.translation.translator import Translator

_KEY_NODES = (exp.PrimaryKey, exp.PrimaryKeyColumnConstraint)
_IDENTITY_NODES = (exp.GeneratedAsIdentityColumnConstraint, exp.AutoIncrementColumnConstraint)
_UNIQUE_NODES = (exp.UniqueColumnConstraint,)


@dataclass(frozen=True, slots=True)
class Key:
    """A PRIMARY KEY or UNIQUE constraint."""

    columns: tuple[str, ...]
    name: str = ""
    is_primary: bool = True

    @property
    def sql(self) -> str:
        """The constraint in DuckDB SQL."""
        kind = "PRIMARY KEY" if self.is_primary else "UNIQUE"
        return f"{kind} ({', '.join(quote(name) for name in self.columns)})"


def define_table(name: ObjectName, database: Database, node: exp.Expr) -> tuple[Table, list[str]]:
    """The table that a CREATE TABLE defines, and DuckDB's statements for it.

    Raises:
        SqlError: unknown type, duplicate column.
    """
    definitions = [part for part in node.expressions if isinstance(part, exp.ColumnDef)]
    keys = list(_keys(node.expressions))
    primary = {c.lower() for key in keys if key.is_primary for c in key.columns}
    columns = [_column(part) for part in definitions]
    columns = [replace(c, nullable=c.nullable and c.name.lower() not in primary) for c in columns]
    return build_table(name, database, columns, keys, _seeds(definitions))


def build_table(
    name: ObjectName,
    database: Database,
    columns: Sequence[TableColumn],
    keys: Sequence[Key] = (),
    seeds: dict[str, tuple[str, str]] | None = None,
) -> tuple[Table, list[str]]:
    """A table of these columns, and DuckDB's statements for it."""
    _check_names(name, columns)
    schema = name.schema or SCHEMA
    place = TEMPORARY_CATALOG if name.is_temporary else f"{database.catalog}.{quote(schema)}"
    columns = [_with_sequence(column, name, place) for column in columns]
    duckdb_name = f"{place}.{quote(name.name)}"
    named_keys = {tuple(c.lower() for c in key.columns): _key_name(key, name.name) for key in keys}
    table = Table(name.name, schema, tuple(columns), duckdb_name, named_keys, name.is_temporary)
    statements = [] if name.is_temporary else [f"CREATE SCHEMA IF NOT EXISTS {place}"]
    statements += sequence_statements(table, seeds or {})
    parts = [_column_sql(column) for column in columns] + [key.sql for key in keys]
    temporary = "TEMP " if name.is_temporary else ""
    statements.append(f"CREATE {temporary}TABLE {duckdb_name} ({', '.join(parts)})")
    return table, statements


def sequence_statements(table: Table, seeds: dict[str, tuple[str, str]]) -> Iterator[str]:
    """Statements that create the table's sequences anew, from their seeds."""
    for column in table.columns:
        if column.sequence is not None:
            start, step = seeds.get(column.name, ("1", "1"))
            kind = "TEMP SEQUENCE" if table.is_temporary else "SEQUENCE"
            yield f"CREATE OR REPLACE {kind} {column.sequence} START {start} INCREMENT {step}"


def _column_sql(column: TableColumn) -> str:
    null = "" if column.nullable else " NOT NULL"
    return f"{quote(column.name)} {column_storage(column.type)}{null}"


def _check_names(name: ObjectName, columns: Sequence[TableColumn]) -> None:
    seen: set[str] = set()
    for column in columns:
        if column.name.lower() in seen:
            message = (
                f"Column names in each table must be unique. Column name '{column.name}' in table "
                f"'{name.name}' is specified more than once."
            )
            raise SqlError(2705, message, state=3)
        seen.add(column.name.lower())


def _column(node: exp.ColumnDef) -> TableColumn:
    kinds = [constraint.kind for constraint in node.args.get("constraints") or ()]
    if node.args.get("kind") is None:
        raise SqlError(102, f"Incorrect syntax near '{node.name}'.", severity=15)
    sql_type = type_of_node(node.args["kind"], default_length=1)
    default = next(
        (k.this.sql("tsql") for k in kinds if isinstance(k, exp.DefaultColumnConstraint)), None
    )
    is_identity = any(isinstance(k, _IDENTITY_NODES) for k in kinds)
    required = is_identity or sql_type.name == "timestamp"
    for kind in kinds:
        if isinstance(kind, exp.NotNullColumnConstraint):
            required = required or not kind.args.get("allow_null")
    return TableColumn(node.name, sql_type, not required, default, is_identity=is_identity)


def _with_sequence(column: TableColumn, name: ObjectName, place: str) -> TableColumn:
    if not column.is_identity and column.type.name != "timestamp":
        return column
    return replace(column, sequence=f"{place}.{quote(f'{name.name} {column.name}')}")


def _seeds(definitions: Sequence[exp.ColumnDef]) -> dict[str, tuple[str, str]]:
    seeds = {}
    for node in definitions:
        for constraint in node.args.get("constraints") or ():
            kind = constraint.kind
            if isinstance(kind, exp.GeneratedAsIdentityColumnConstraint) and kind.args.get("start"):
                seeds[node.name] = kind.args["start"].sql(), kind.args["increment"].sql()
    return seeds


def _keys(parts: Sequence[exp.Expr]) -> Iterator[Key]:
    for part in parts:
        if isinstance(part, exp.ColumnDef):
            for constraint in part.args.get("constraints") or ():
                if isinstance(constraint.kind, _KEY_NODES + _UNIQUE_NODES):
                    is_primary = isinstance(constraint.kind, _KEY_NODES)
                    yield Key((part.name,), constraint.name, is_primary)
        elif isinstance(part, exp.Constraint):
            if not part.find(exp.ForeignKey, exp.CheckColumnConstraint):
                is_primary = part.find(*_KEY_NODES) is not None
                names = [name for e in part.expressions for name in _column_names(e)]
                yield Key(tuple(dict.fromkeys(names)), part.name, is_primary)
        elif isinstance(part, _KEY_NODES + _UNIQUE_NODES):
            yield Key(tuple(_column_names(part)), "", isinstance(part, _KEY_NODES))


def _column_names(node: exp.Expr) -> Iterator[str]:
    return (identifier.name for identifier in node.find_all(exp.Identifier))


def _key_name(key: Key, table: str) -> str:
    """The constraint's name, or a generated one in SQL Server's form."""
    prefix = "PK" if key.is_primary else "UQ"
    number = zlib.crc32(f"{table}.{key.columns}".encode())
    return key.name or f"{prefix}__{table[:9]}__{number:016X}"


def add_column(
    translator: Translator, table: Table, node: exp.ColumnDef, database: str
) -> tuple[Table, str]:
    """The table with one more column, and DuckDB's statement for it."""
    column = _column(node)
    sql = f"ALTER TABLE {table.duckdb_name} ADD COLUMN {quote(column.name)} "
    sql += column_storage(column.type)
    if column.default is not None and not column.nullable:
        default = default_value(translator, column, table, database)
        sql += f" DEFAULT {default}"
    changed = replace(table, columns=(*table.columns, replace(column, nullable=True)))
    return changed, sql
