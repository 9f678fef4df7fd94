"""UPDATE and DELETE, with FROM, joins and TOP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sandbox.sql_server.engine.catalog.schema_objects import Table
from sandbox.sql_server.engine.parsing.dialect import syntax_error
from sandbox.sql_server.engine.translation.name_scopes import Scope, Source
from sandbox.sql_server.engine.translation.queries import with_text
from sandbox.sql_server.engine.translation.sources import (
    add_source,
    from_text,
    object_name,
    table_fields,
)
from sandbox.sql_server.engine.values.typed_sql import quote
from sandbox.sql_server.engine.writes.insert import default_value, is_default, next_value
from sandbox.sql_server.engine.writes.store_assignment import store_assignment
from sandbox.sql_server.engine.writes.write_statement import WriteStatement, target_table
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from sandbox.sql_server.engine.catalog.object_names import ObjectName
    from sandbox.sql_server.engine.catalog.schema_objects import TableColumn
    from sandbox.sql_server.engine.translation.translator import Translator

_ROWS = "?rows"


def translate_update(translator: Translator, node: exp.Expr, limit: str) -> WriteStatement:
    """Translate an UPDATE; `limit` is its TOP.

    Raises:
        SqlError: as translation does; 229 denied, 8102 it changes an identity column.
    """
    scope = Scope()
    prefix = with_text(translator, node, scope)
    source, name, alias = _target(translator, node, scope)
    table, database = target_table(translator, name, "UPDATE")
    if node.args.get("where"):
        translator.context.check("SELECT", name, table)
    if not node.expressions:
        raise syntax_error(alias)
    changes = [
        (column, value)
        for assignment in node.expressions
        for column, value in [_assignment(translator, assignment, table, scope, database)]
    ]
    changes += [
        (c, next_value(c.sequence)) for c in table.columns if _is_rowversion(c) if c.sequence
    ]
    condition = _condition(translator, node, scope)
    row = f"{quote(alias)}.rowid"
    if source or limit:
        values = ", ".join(f"{value} AS {quote(f'c{i}')}" for i, (_, value) in enumerate(changes))
        first = f'row_number() OVER (PARTITION BY {row}) AS "?n"'
        origin = source or f" FROM {table.duckdb_name} AS {quote(alias)}"
        inner = f'SELECT {row} AS "?r", {first}, {values}{origin}{condition}{limit}'
        assignments = ", ".join(
            f"{quote(c.name)} = {quote(_ROWS)}.{quote(f'c{i}')}" for i, (c, _) in enumerate(changes)
        )
        sql = (
            f'{prefix}UPDATE {table.duckdb_name} AS "?t" SET {assignments} '
            f"FROM ({inner}) AS {quote(_ROWS)} "
            f'WHERE "?t".rowid = {quote(_ROWS)}."?r" AND {quote(_ROWS)}."?n" = 1'
        )
    else:
        assignments = ", ".join(f"{quote(c.name)} = {value}" for c, value in changes)
        sql = f"{prefix}UPDATE {table.duckdb_name} AS {quote(alias)} SET {assignments}{condition}"
    return WriteStatement(sql, table, database, "UPDATE")


def _is_rowversion(column: TableColumn) -> bool:
    return column.type.name == "timestamp"


def _condition(translator: Translator, node: exp.Expr, scope: Scope) -> str:
    where = node.args.get("where")
    return f" WHERE {translator.condition(where.this, scope)}" if where else ""


def _target(translator: Translator, node: exp.Expr, scope: Scope) -> tuple[str, ObjectName, str]:
    """The FROM of an UPDATE if it has one, the table to change, and its alias."""
    name = object_name(node.this)
    if node.args.get("from_"):
        source = from_text(translator, node, scope)
        name, alias = _aliased(node.args["from_"].this, name)
        return source, name, alias
    return "", name, _only_source(translator, node.this, scope)


def _only_source(translator: Translator, node: exp.Expr, scope: Scope) -> str:
    name = object_name(node)
    found = translator.context.table(name)
    alias = str(node.alias or name.name)
    if isinstance(found, Table):
        add_source(scope, Source(alias, tuple(table_fields(found))))
    return alias


def _aliased(first: exp.Expr, wanted: ObjectName) -> tuple[ObjectName, str]:
    """The table in FROM that the UPDATE or DELETE names."""
    tables = [first, *(join.this for join in first.args.get("joins") or ())]
    parent = first.parent
    statement = parent.parent if parent is not None else None
    if statement is not None:
        tables += [join.this for join in statement.args.get("joins") or ()]
    for table in tables:
        if isinstance(table, exp.Table):
            name = object_name(table)
            if wanted.name.lower() in (table.alias.lower(), name.name.lower()):
                return name, table.alias or name.name
    return wanted, wanted.name


def _assignment(
    translator: Translator, node: exp.Expr, table: Table, scope: Scope, database: str
) -> tuple[TableColumn, str]:
    if not isinstance(node, exp.EQ) or not isinstance(node.this, exp.Column):
        raise SqlError(102, "Incorrect syntax near '='.", severity=15)
    column = table.find(node.this.name)
    if column is None:
        raise SqlError(207, f"Invalid column name '{node.this.name}'.")
    if column.is_identity:
        raise SqlError(8102, f"Cannot update identity column '{column.name}'.")
    if is_default(node.expression):
        return column, default_value(translator, column, table, database)
    return column, store_assignment(
        translator.expression(node.expression, scope), column, table, database
    )


def translate_delete(translator: Translator, node: exp.Expr, limit: str) -> WriteStatement:
    """Translate a DELETE; `limit` is its TOP.

    Raises:
        SqlError: as translation does; 229 denied.
    """
    scope = Scope()
    prefix = with_text(translator, node, scope)
    tables = list(node.args.get("tables") or ())
    origin = node.this or tables[0]
    if tables and node.this:
        holder = exp.Select(from_=exp.From(this=origin))
        source = from_text(translator, holder, scope)
        name, alias = _aliased(origin, object_name(tables[0]))
    else:
        source, name = "", object_name(origin)
        alias = _only_source(translator, origin, scope)
    table, database = target_table(translator, name, "DELETE")
    condition = _condition(translator, node, scope)
    if condition:
        translator.context.check("SELECT", name, table)
    if not source and not limit:
        sql = f"{prefix}DELETE FROM {table.duckdb_name} AS {quote(alias)}{condition}"
        return WriteStatement(sql, table, database, "DELETE")
    source = source or f" FROM {table.duckdb_name} AS {quote(alias)}"
    inner = f"SELECT {quote(alias)}.rowid{source}{condition}{limit}"
    sql = f"{prefix}DELETE FROM {table.duckdb_name} WHERE rowid IN ({inner})"
    return WriteStatement(sql, table, database, "DELETE")
