"""INSERT, UPDATE, DELETE and TRUNCATE: DuckDB's statement, with SQL Server's defaults and checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from sandbox.sql_server.engine.catalog import Table, View
from sandbox.sql_server.engine.dialect import parse_expression, tokenize
from sandbox.sql_server.engine.queries import with_text
from sandbox.sql_server.engine.scopes import Query, Scope, Source
from sandbox.sql_server.engine.sources import add_source, from_text, object_name, table_fields
from sandbox.sql_server.engine.storing import stored
from sandbox.sql_server.engine.terms import Term, quoted
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.sql_server.engine.catalog import TableColumn
    from sandbox.sql_server.engine.surroundings import ObjectName
    from sandbox.sql_server.engine.translation import Translator

_ROWS = "?rows"


@dataclass(frozen=True, slots=True)
class Modification:
    """What to run, on which table; `sequence` gave the identity values."""

    sql: str
    table: Table
    database: str
    action: str
    sequence: str | None = None


def translate(
    translator: Translator, node: exp.Expr, limit: str = "", explicit_identity: str = ""
) -> Modification:
    """A statement that changes rows; `limit` is its TOP, `explicit_identity` the table whose
    IDENTITY_INSERT is on.

    Raises:
        SqlError: as translation does; 229 the login may not.
    """
    if isinstance(node, exp.Insert):
        return _insert(translator, node, explicit_identity)
    if isinstance(node, exp.Update):
        return _update(translator, node, limit)
    return _delete(translator, node, limit)


def target_table(translator: Translator, name: ObjectName, permission: str) -> tuple[Table, str]:
    """The table to change, and its database's name."""
    found = translator.surroundings.table(name)
    translator.surroundings.check(permission, name, found)
    if isinstance(found, View):
        message = f"View or function '{name.written}' is not updatable."
        raise SqlError(4406, message)
    database = translator.surroundings.find_database(name.database)
    return found, "tempdb" if found.is_temporary or database is None else database.name


def _insert(translator: Translator, node: exp.Expr, explicit: str) -> Modification:
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
    written = ", ".join(quoted(column.name) for column in table.columns)
    sql = f"{prefix}INSERT INTO {table.duckdb_name} ({written}) {rows}"
    identity = next((c.sequence for c in table.columns if c.is_identity), None)
    return Modification(sql, table, database, "INSERT", identity)


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
            column.name: translator.term(node)
            for column, node in zip(columns, nodes, strict=True)
            if not _is_default(node)
        }
        lines.append(f"({_line(translator, table, given, database)})")
    return f"VALUES {', '.join(lines)}"


def _is_default(node: exp.Expr) -> bool:
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
        column.name: Term(
            f"{quoted(_ROWS)}.{quoted(name)}", f.type, in_steps=f.in_steps,
            is_untyped_null=f.is_untyped_null,
        )
        for column, f, name in zip(columns, query.fields, names, strict=True)
    }  # fmt: skip
    line = _line(translator, table, given, database)
    return f"SELECT {line} FROM ({query.sql}) AS {quoted(_ROWS)}({', '.join(map(quoted, names))})"


def _line(translator: Translator, table: Table, given: Mapping[str, Term], database: str) -> str:
    """All columns' values: the given ones, defaults, the next of a sequence."""
    parts = []
    for column in table.columns:
        if column.name in given:
            parts.append(stored(given[column.name], column, table, database))
        elif column.sequence is not None:
            parts.append(next_value(column.sequence))
        else:
            parts.append(default_value(translator, column, table, database))
    return ", ".join(parts)


def next_value(sequence: str) -> str:
    """The next of a sequence."""
    return f"nextval('{sequence.replace(chr(39), chr(39) * 2)}')"


def default_value(translator: Translator, column: TableColumn, table: Table, database: str) -> str:
    """What a column gets that is given nothing."""
    if column.default is None:
        return "NULL"
    default = parse_expression(tokenize(column.default), column.default)
    return stored(translator.term(default), column, table, database)


def _update(translator: Translator, node: exp.Expr, limit: str) -> Modification:
    scope = Scope()
    prefix = with_text(translator, node, scope)
    source, name, alias = _target(translator, node, scope)
    table, database = target_table(translator, name, "UPDATE")
    if node.args.get("where"):
        translator.surroundings.check("SELECT", name, table)
    changes = [
        (column, value)
        for assignment in node.expressions
        for column, value in [_assignment(translator, assignment, table, scope, database)]
    ]
    changes += [
        (c, next_value(c.sequence)) for c in table.columns if _is_rowversion(c) if c.sequence
    ]
    condition = _condition(translator, node, scope)
    row = f"{quoted(alias)}.rowid"
    if source or limit:
        values = ", ".join(f"{value} AS {quoted(f'c{i}')}" for i, (_, value) in enumerate(changes))
        first = f'row_number() OVER (PARTITION BY {row}) AS "?n"'
        origin = source or f" FROM {table.duckdb_name} AS {quoted(alias)}"
        inner = f'SELECT {row} AS "?r", {first}, {values}{origin}{condition}{limit}'
        assignments = ", ".join(
            f"{quoted(c.name)} = {quoted(_ROWS)}.{quoted(f'c{i}')}"
            for i, (c, _) in enumerate(changes)
        )
        sql = (
            f'{prefix}UPDATE {table.duckdb_name} AS "?t" SET {assignments} '
            f"FROM ({inner}) AS {quoted(_ROWS)} "
            f'WHERE "?t".rowid = {quoted(_ROWS)}."?r" AND {quoted(_ROWS)}."?n" = 1'
        )
    else:
        assignments = ", ".join(f"{quoted(c.name)} = {value}" for c, value in changes)
        sql = f"{prefix}UPDATE {table.duckdb_name} AS {quoted(alias)} SET {assignments}{condition}"
    return Modification(sql, table, database, "UPDATE")


def _is_rowversion(column: TableColumn) -> bool:
    return column.type.name == "timestamp"


def _condition(translator: Translator, node: exp.Expr, scope: Scope) -> str:
    where = node.args.get("where")
    return f" WHERE {translator.condition(where.this, scope)}" if where else ""


def _target(translator: Translator, node: exp.Expr, scope: Scope) -> tuple[str, ObjectName, str]:
    """FROM of an UPDATE if it has one, the table to change, and its alias."""
    name = object_name(node.this)
    if node.args.get("from_"):
        source = from_text(translator, node, scope)
        return source, *_aliased(node.args["from_"].this, name)
    return "", name, _only_source(translator, node.this, scope)


def _only_source(translator: Translator, node: exp.Expr, scope: Scope) -> str:
    name = object_name(node)
    found = translator.surroundings.table(name)
    alias = str(node.alias or name.name)
    if isinstance(found, Table):
        add_source(scope, Source(alias, tuple(table_fields(found))))
    return alias


def _aliased(first: exp.Expr, wanted: ObjectName) -> tuple[ObjectName, str]:
    """The table that stands in FROM under the wanted name."""
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
    if _is_default(node.expression):
        return column, default_value(translator, column, table, database)
    return column, stored(translator.term(node.expression, scope), column, table, database)


def _delete(translator: Translator, node: exp.Expr, limit: str) -> Modification:
    scope = Scope()
    prefix = with_text(translator, node, scope)
    tables = node.args.get("tables") or ()
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
        translator.surroundings.check("SELECT", name, table)
    if not source and not limit:
        sql = f"{prefix}DELETE FROM {table.duckdb_name} AS {quoted(alias)}{condition}"
        return Modification(sql, table, database, "DELETE")
    source = source or f" FROM {table.duckdb_name} AS {quoted(alias)}"
    inner = f"SELECT {quoted(alias)}.rowid{source}{condition}{limit}"
    sql = f"{prefix}DELETE FROM {table.duckdb_name} WHERE rowid IN ({inner})"
    return Modification(sql, table, database, "DELETE")
