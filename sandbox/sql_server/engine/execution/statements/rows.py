"""SELECT, INSERT, UPDATE, DELETE and TRUNCATE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from sandbox.sql_server.engine.catalog.schema_objects import Table, TableColumn
from sandbox.sql_server.engine.parsing.token_lists import split_top
from sandbox.sql_server.engine.translation.for_json import JSON_COLUMN
from sandbox.sql_server.engine.translation.name_scopes import Query, Scope, Source
from sandbox.sql_server.engine.translation.select_lists import query_fields, select_items
from sandbox.sql_server.engine.translation.sources import object_name, table_fields
from sandbox.sql_server.engine.writes.insert import select_rows, translate_insert
from sandbox.sql_server.engine.writes.table_definition import build_table, sequence_statements
from sandbox.sql_server.engine.writes.update_delete import translate_delete, translate_update
from sandbox.sql_server.engine.writes.write_statement import target_table
from sandbox.sql_server.results import ResultSet, RowCount, SqlError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sandbox.sql_server.engine.execution.batch import Batch, Handler
    from sandbox.sql_server.engine.parsing.statements import SimpleStatement
    from sandbox.sql_server.engine.translation.translator import Translator
    from sandbox.sql_server.engine.writes.write_statement import WriteStatement
    from sandbox.sql_server.results import Result

_JSON_CHUNK = 2033
"""Characters per row in which SQL Server sends FOR JSON's text."""


def _select(batch: Batch, statement: SimpleStatement) -> Iterator[Result]:
    tree = batch.parse(statement)
    if not isinstance(tree, exp.Query):
        yield from _modify(batch, statement)
    elif is_assignment(tree):
        _assign(batch, tree)
    elif tree.args.get("into"):
        yield from _select_into(batch, tree)
    else:
        query = batch.translator().query(tree)
        result = batch.state.result_set(query)
        is_json = [field.name for field in query.fields] == [JSON_COLUMN]
        yield ResultSet(result.columns, _chunks(result.rows)) if is_json else result


def _chunks(rows: Iterator[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    for (text,) in rows:
        for start in range(0, len(text or ""), _JSON_CHUNK):
            yield (text[start : start + _JSON_CHUNK],)


def is_assignment(tree: exp.Expr) -> bool:
    """Whether it is `SELECT @x = …`."""
    return isinstance(tree, exp.Select) and any(
        isinstance(node, exp.EQ) and isinstance(node.this, exp.Parameter)
        for node in tree.expressions
    )


def _assign(batch: Batch, tree: exp.Expr) -> None:
    """Assign the last row's values; without rows the variables keep theirs."""
    names = []
    for node in tree.expressions:
        if not isinstance(node, exp.EQ) or not isinstance(node.this, exp.Parameter):
            message = (
                "A SELECT statement that assigns a value to a variable must not be combined with "
                "data-retrieval operations."
            )
            raise SqlError(141, message, severity=15)
        names.append(f"@{node.this.this.name}".lower())
        node.replace(exp.Alias(this=node.expression, alias=exp.to_identifier(f"v{len(names)}")))
    translator = batch.translator()
    types = [translator.context.variable(name).type for name in names]
    query = translator.query(tree)
    result = batch.state.result_set(query)
    rows = list(result.rows)
    if rows:
        for name, column, value, sql_type in zip(names, query.fields, rows[-1], types, strict=True):
            batch.assign(name, value, column.type, sql_type)


def _select_into(batch: Batch, tree: exp.Expr) -> Iterator[Result]:
    name = object_name(tree.args["into"].this)
    tree.set("into", None)
    query = batch.translator().query(tree)
    columns = [TableColumn(f.name, f.type, f.nullable) for f in query.fields]
    for index, column in enumerate(columns, start=1):
        if not column.name:
            message = (
                "An object or column name is missing or empty. For SELECT INTO statements, verify "
                f"each column has a name. Column {index} has none."
            )
            raise SqlError(1038, message, severity=15)
    batch.create_table(name, build_table(name, batch.state.database, columns))
    target, _ = target_table(batch.translator(), name, "INSERT")
    rows = select_rows(batch.translator(), target, query, batch.state.database.name)
    yield _count(batch, batch.state.write(f"INSERT INTO {target.duckdb_name} {rows}", target))


def _modify(batch: Batch, statement: SimpleStatement) -> Iterator[Result]:
    tree = batch.parse(statement)
    if isinstance(tree, exp.Merge):
        raise SqlError(8630, "Internal Query Processor Error: the sandbox does not support MERGE.")
    _, top = split_top(statement)
    limit = f" LIMIT {batch.expression(top).sql}" if top else ""
    translator = batch.translator()
    change = _translated(batch, translator, tree, limit)
    output = tree.args.get("returning")
    if output is not None:
        yield from _modify_with_output(batch, change, _output(translator, change, output))
        return
    count = batch.state.write(change.sql, change.table, change.database)
    _remember_identity(batch, change)
    yield _count(batch, count)


def _translated(batch: Batch, translator: Translator, tree: exp.Expr, limit: str) -> WriteStatement:
    if isinstance(tree, exp.Insert):
        return translate_insert(translator, tree, batch.state.explicit_identity)
    if isinstance(tree, exp.Update):
        return translate_update(translator, tree, limit)
    return translate_delete(translator, tree, limit)


def _count(batch: Batch, count: int) -> RowCount:
    batch.state.row_count = count
    return RowCount(count if batch.state.counts_rows else None)


def _output(translator: Translator, change: WriteStatement, clause: exp.Expr) -> Query:
    """OUTPUT inserted.… or deleted.…, as DuckDB's RETURNING."""
    fields = tuple(table_fields(change.table))
    aliases = ["deleted"] if change.action == "DELETE" else ["inserted"]
    scope = Scope(sources=[Source(alias, fields) for alias in aliases])
    items = list(select_items(translator, clause.expressions, scope))
    columns = [expr.sql.replace(f'"{aliases[0]}".', "") for _, expr in items]
    return Query(f"{change.sql} RETURNING {', '.join(columns)}", query_fields(items))


def _modify_with_output(batch: Batch, change: WriteStatement, query: Query) -> Iterator[Result]:
    batch.state.transaction.prepare_write()
    rows = batch.state.fetch(query.sql, query.fields, change.table, change.database)
    batch.state.row_count = len(rows)
    _remember_identity(batch, change)
    yield ResultSet(batch.state.columns(query.fields), iter(rows))


def _remember_identity(batch: Batch, change: WriteStatement) -> None:
    if change.sequence is not None:
        column = next(c for c in change.table.columns if c.is_identity)
        sql = f'SELECT max("{column.name}") FROM {change.table.duckdb_name}'
        ((value,),) = batch.state.fetch(sql, ())
        batch.state.last_identity = value


def _truncate(batch: Batch, statement: SimpleStatement) -> Iterator[Result]:
    tree = batch.parse(statement)
    for node in tree.expressions:
        name = object_name(node)
        translator = batch.translator()
        found = translator.context.find(name)
        allowed = name.is_temporary or batch.state.login.permissions.is_administrator
        if not isinstance(found, Table) or not allowed:
            message = (
                f'Cannot find the object "{name.written}" because it does not exist or you do not '
                "have permissions."
            )
            raise SqlError(1088, message, state=7)
        batch.state.write(f"TRUNCATE {found.duckdb_name}", found)
        for sql in sequence_statements(found, {}):
            batch.state.write(sql)
    yield RowCount()


HANDLERS: Mapping[str, Handler] = {
    "SELECT": _select,
    "WITH": _select,
    **dict.fromkeys(("INSERT", "UPDATE", "DELETE", "MERGE"), _modify),
    "TRUNCATE": _truncate,
}
