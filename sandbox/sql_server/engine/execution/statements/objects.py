"""CREATE, DROP and ALTER."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sandbox.sql_server.engine.catalog.schema_objects import SCHEMA, Table, View
from sandbox.sql_server.engine.parsing.dialect import syntax_error
from sandbox.sql_server.engine.parsing.token_lists import keyword
from sandbox.sql_server.engine.translation.sources import object_name, view_query
from sandbox.sql_server.engine.values.typed_sql import quote
from sandbox.sql_server.engine.writes.table_definition import add_column, define_table
from sandbox.sql_server.results import RowCount, SqlError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.sql_server.engine.catalog.object_names import ObjectName
    from sandbox.sql_server.engine.execution.batch import Batch, Handler
    from sandbox.sql_server.engine.parsing.statements import SimpleStatement
    from sandbox.sql_server.results import Result


def _create(batch: Batch, statement: SimpleStatement) -> Iterator[Result]:
    tree = batch.parse(statement)
    match tree.args.get("kind"):
        case "TABLE":
            _create_table(batch, tree)
        case "VIEW":
            _create_view(batch, statement, tree)
        case "DATABASE":
            batch.state.login.permissions.check_creation("DATABASE", "master")
            batch.state.instance.create_database(tree.this.name)
        case "INDEX" | "SCHEMA":
            batch.state.login.permissions.check_creation("TABLE", batch.state.database.name)
        case kind:
            raise SqlError(
                8630, f"Internal Query Processor Error: the sandbox does not support CREATE {kind}."
            )
    yield RowCount()


def _create_table(batch: Batch, tree: exp.Expr) -> None:
    if not isinstance(tree.this, exp.Schema):
        raise syntax_error(tree.this.name)
    name = object_name(tree.this.this)
    batch.create_table(name, define_table(name, batch.state.database, tree.this))


def _create_view(batch: Batch, statement: SimpleStatement, tree: exp.Expr) -> None:
    database = batch.state.database
    batch.state.login.permissions.check_creation("VIEW", database.name)
    target, columns = tree.this, ()
    if isinstance(target, exp.Schema):
        columns = tuple(part.name for part in target.expressions)
        target = target.this
    name = object_name(target)
    batch.check_is_new(name)
    start = next(i for i, token in enumerate(statement.tokens) if keyword(token) == "AS") + 1
    text = batch.sql[statement.tokens[start].start : statement.tokens[-1].end + 1]
    view = View(name.name, name.schema or SCHEMA, text, columns)
    query = view_query(batch.translator(), view)
    view = View(view.name, view.schema, text, tuple(field.name for field in query.fields))
    batch.state.change_catalog(lambda: database.objects.put(view))


def _drop(batch: Batch, statement: SimpleStatement) -> Iterator[Result]:
    tree = batch.parse(statement)
    kind = str(tree.args.get("kind"))
    nodes = tree.args.get("tables") or [tree.this]
    if kind not in ("TABLE", "VIEW"):
        nodes = []
    for node in nodes:
        _drop_object(batch, object_name(node), kind, if_exists=bool(tree.args.get("exists")))
    yield RowCount()


def _drop_object(batch: Batch, name: ObjectName, kind: str, *, if_exists: bool) -> None:
    context = batch.translator().context
    found = context.find(name)
    expected = Table if kind == "TABLE" else View
    allowed = name.is_temporary or batch.state.login.permissions.is_administrator
    if not isinstance(found, expected) or not allowed:
        if found is None and if_exists:
            return
        message = (
            f"Cannot drop the {kind.lower()} '{name.written}', because it does not exist or you do "
            "not have permission."
        )
        raise SqlError(3701, message, state=5, severity=11)
    if isinstance(found, Table):
        batch.state.write(f"DROP TABLE {found.duckdb_name}")
    objects = batch.objects(name)
    batch.state.change_catalog(lambda: objects.drop(found))


def _alter(batch: Batch, statement: SimpleStatement) -> Iterator[Result]:
    tree = batch.parse(statement)
    name = object_name(tree.this)
    found = batch.translator().context.find(name)
    allowed = name.is_temporary or batch.state.login.permissions.is_administrator
    if tree.args.get("kind") != "TABLE" or not isinstance(found, Table) or not allowed:
        message = (
            f'Cannot find the object "{name.written}" because it does not exist or you do not have '
            "permissions."
        )
        raise SqlError(1088, message)
    for action in tree.args["actions"]:
        table, sql = _altered(batch, found, action)
        batch.state.write(sql)
        objects = batch.objects(name)
        batch.state.change_catalog(lambda objects=objects, table=table: objects.put(table))  # type: ignore[misc]
        found = table
    yield RowCount()


def _altered(batch: Batch, table: Table, action: exp.Expr) -> tuple[Table, str]:
    if isinstance(action, exp.ColumnDef):
        return add_column(batch.translator(), table, action, batch.state.database.name)
    if isinstance(action, exp.Drop) and len(action.args["tables"]) == 1:
        name = action.args["tables"][0].name
        columns = tuple(c for c in table.columns if c.name.lower() != name.lower())
        changed = Table(table.name, table.schema, columns, table.duckdb_name, table.keys)
        return changed, f"ALTER TABLE {table.duckdb_name} DROP COLUMN {quote(name)}"
    raise SqlError(
        8630, "Internal Query Processor Error: the sandbox does not support this ALTER TABLE."
    )


HANDLERS: Mapping[str, Handler] = {
    "CREATE": _create,
    "DROP": _drop,
    "ALTER": _alter,
}
