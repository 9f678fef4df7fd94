"""INSERT: rows from VALUES or a query, defaults, IDENTITY."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sandbox.sql_server.engine.parsing.dialect import parse_expression, tokenize
from sandbox.sql_server.engine.translation.name_scopes import Scope
from sandbox.sql_server.engine.translation.queries import with_text
from sandbox.sql_server.engine.translation.sources import object_name
from sandbox.sql_server.engine.values.typed_sql import TypedSql, quote
from sandbox.sql_server.engine.writes.store_assignment import store_assignment
from sandbox.sql_server.engine.writes.write_statement import WriteStatement, target_table
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.sql_server.engine.catalog.schema_objects import Table, TableColumn
    from sandbox.sql_server.engine.translation.name_scopes import Query
    from sandbox.sql_server.engine.translation.translator import Translator

_ROWS = "?rows"


def translate_insert(translator: Translator, node: exp.Expr, explicit: str) -> WriteStatement:
    """Translate an INSERT; `explicit` is the table with IDENTITY_INSERT ON.

    Raises:
        SqlError: as translation does; 229 denied, 213 wrong number of values, 544 identity.
    """
    target, names = node.this, None
    if isinstance(target, exp.Schema):
        target, names = target.this, [identifier.name for identifier in target.expressions]
    table, database = target_table(translator, object_name(target), "INSERT")
    scope = Scope()
    prefix = with_text(translator, node, scope)
    columns = _insert_columns(table, names)
    if explicit != table.name.lower() and any(column.is_identity for column in columns):
        message = (
            f"Cannot insert explicit value for identity column in table '{table.name}' when "
            "IDENTITY_INSERT is set to OFF."
        )
        raise SqlError(544, message)
    source = node.expression
    if node.args.get("default"):
        rows = f"VALUES ({_line(translator, table, {}, database)})"
    elif isinstance(source, exp.Values):
        rows = _values(translator, table, columns, source, database)
    else:
        query = translator.query(source, scope)
        rows = _selected(translator, table, columns, query, database)
    written = ", ".join(quote(column.name) for column in table.columns)
    sql = f"{prefix}INSERT INTO {table.duckdb_name} ({written}) {rows}"
    identity = next((c.sequence for c in table.columns if c.is_identity), None)
    return WriteStatement(sql, table, database, "INSERT", identity)


def _insert_columns(table: Table, names: Sequence[str] | None) -> list[TableColumn]:
    if names is None:
        return [column for column in table.columns if column.sequence is None]
    columns = []
    for name in names:
        column = table.find(name)
        if column is None:
            raise SqlError(207, f"Invalid column name '{name}'.")
        if column.type.name == "timestamp":
            message = (
                "Cannot insert an explicit value into a timestamp column. Use INSERT with a column "
                "list to exclude the timestamp column, or insert a DEFAULT into the timestamp "
                "column."
            )
            raise SqlError(273, message)
        columns.append(column)
    return columns


def _values(
    translator: Translator,
    table: Table,
    columns: Sequence[TableColumn],
    source: exp.Expr,
    database: str,
) -> str:
    lines = []
    for row in source.expressions:
        nodes = row.expressions if isinstance(row, exp.Tuple) else [row]
        _check_count(len(columns), len(nodes))
        given = {
            column.name: translator.expression(node)
            for column, node in zip(columns, nodes, strict=True)
            if not is_default(node)
        }
        lines.append(f"({_line(translator, table, given, database)})")
    return f"VALUES {', '.join(lines)}"


def is_default(node: exp.Expr) -> bool:
    """Whether the node is DEFAULT."""
    return isinstance(node, exp.Var | exp.Column) and node.name.upper() == "DEFAULT"


def _check_count(columns: int, values: int) -> None:
    if columns != values:
        message = "Column name or number of supplied values does not match table definition."
        raise SqlError(213, message)


def select_rows(translator: Translator, table: Table, query: Query, database: str) -> str:
    """The rows of a query for all columns of a table."""
    return _selected(translator, table, table.columns, query, database)


def _selected(
    translator: Translator,
    table: Table,
    columns: Sequence[TableColumn],
    query: Query,
    database: str,
) -> str:
    _check_count(len(columns), len(query.fields))
    names = [f"c{index}" for index in range(len(columns))]
    given = {
        column.name: TypedSql(
            f"{quote(_ROWS)}.{quote(name)}", f.type, in_ticks=f.in_ticks,
            is_untyped_null=f.is_untyped_null,
        )
        for column, f, name in zip(columns, query.fields, names, strict=True)
    }  # fmt: skip
    line = _line(translator, table, given, database)
    return f"SELECT {line} FROM ({query.sql}) AS {quote(_ROWS)}({', '.join(map(quote, names))})"


def _line(
    translator: Translator, table: Table, given: Mapping[str, TypedSql], database: str
) -> str:
    """The values of all columns: given values, sequences, defaults."""
    parts = []
    for column in table.columns:
        if column.name in given:
            parts.append(store_assignment(given[column.name], column, table, database))
        elif column.sequence is not None:
            parts.append(next_value(column.sequence))
        else:
            parts.append(default_value(translator, column, table, database))
    return ", ".join(parts)


def next_value(sequence: str) -> str:
    """SQL for the next value of a sequence."""
    return f"nextval('{sequence.replace(chr(39), chr(39) * 2)}')"


def default_value(translator: Translator, column: TableColumn, table: Table, database: str) -> str:
    """The value of a column that the INSERT omits."""
    if column.default is None:
        return "NULL"
    default = parse_expression(tokenize(column.default), column.default)
    return store_assignment(translator.expression(default), column, table, database)
