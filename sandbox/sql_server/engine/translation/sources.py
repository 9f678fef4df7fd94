"""FROM: tables, views, CTEs, derived tables, joins, APPLY, VALUES, table functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sandbox.sql_server.engine.catalog.object_names import ObjectName
from sandbox.sql_server.engine.catalog.schema_objects import Table
from sandbox.sql_server.engine.parsing.dialect import parse_text
from sandbox.sql_server.engine.translation.name_scopes import Field, Query, Scope, Source, renamed
from sandbox.sql_server.engine.translation.system_views import find_system_view
from sandbox.sql_server.engine.values.comparison import same_type
from sandbox.sql_server.engine.values.sql_types import NVARCHAR_MAX, is_stored_in_ticks
from sandbox.sql_server.engine.values.typed_sql import quote
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sandbox.sql_server.engine.catalog.schema_objects import View
    from sandbox.sql_server.engine.translation.translator import Translator


def object_name(node: exp.Expr) -> ObjectName:
    """The name in a Table node, including the `#` of temporary tables."""
    if not isinstance(node, exp.Table):
        raise SqlError(102, f"Incorrect syntax near '{node.name}'.", severity=15)
    identifier = node.this
    prefix = "#" if identifier.args.get("temporary") else ""
    prefix = "##" if identifier.args.get("global_") else prefix
    return ObjectName(f"{prefix}{identifier.name}", node.db, node.catalog)


def from_text(translator: Translator, node: exp.Expr, scope: Scope) -> str:
    """`FROM …` of a SELECT, with its joins; adds the tables to the scope."""
    clause = node.args.get("from_")
    if clause is None:
        return ""
    text = _source(translator, clause.this, scope)
    joins = [*(clause.this.args.get("joins") or ()), *(node.args.get("joins") or ())]
    return f" FROM {text}{''.join(join_text(translator, join, scope) for join in joins)}"


def join_text(translator: Translator, join: exp.Expr, scope: Scope) -> str:
    """A join with its condition."""
    if isinstance(join.this, exp.Lateral):
        return _apply(translator, join.this, scope)
    left = list(scope.sources)
    source = _source(translator, join.this, scope)
    condition = join.args.get("on")
    side, kind = (join.args.get("side") or "").upper(), (join.args.get("kind") or "").upper()
    if condition is None:
        return f" CROSS JOIN {source}" if kind in ("CROSS", "") and not side else f", {source}"
    _make_nullable(scope, left, side)
    word = f"{side} JOIN" if side else "JOIN"
    return f" {word} {source} ON {translator.condition(condition, scope)}"


def _make_nullable(scope: Scope, left: Sequence[Source], side: str) -> None:
    """Make the columns on the optional side of an outer join nullable."""
    right = scope.sources[len(left) :]
    changed = {"LEFT": right, "RIGHT": left, "FULL": scope.sources}.get(side, ())
    scope.sources[:] = [s.as_nullable() if s in changed else s for s in scope.sources]


def _apply(translator: Translator, lateral: exp.Expr, scope: Scope) -> str:
    """CROSS APPLY and OUTER APPLY; the right side sees the left."""
    inner = lateral.this
    alias = lateral.args["alias"]
    if isinstance(inner, exp.Anonymous):
        query = _table_function(translator, inner, scope)
    else:
        query = translator.query(inner, scope)
    fields = _rename(query.fields, alias, alias.name)
    applied = Source(alias.name, fields)
    add_source(scope, applied if lateral.args.get("cross_apply") else applied.as_nullable())
    columns = ", ".join(quote(field.name) for field in fields)
    source = f"LATERAL ({query.sql}) AS {quote(alias.name)}({columns})"
    if lateral.args.get("cross_apply"):
        return f" CROSS JOIN {source}"
    return f" LEFT JOIN {source} ON true"


def add_source(scope: Scope, source: Source) -> None:
    """Add a table to the scope.

    Raises:
        SqlError: 1011, duplicate alias.
    """
    if scope.matching(source.alias):
        message = (
            f"The correlation name '{source.alias}' is specified multiple times in a FROM clause."
        )
        raise SqlError(1011, message)
    scope.sources.append(source)


def _source(translator: Translator, node: exp.Expr, scope: Scope) -> str:
    if isinstance(node, exp.Table):
        return _table(translator, node, scope)
    if isinstance(node, exp.Values):
        return _derived(_values(translator, node, scope), node, scope)
    if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table | exp.Join):
        return _source(translator, node.this, scope)
    return _derived(translator.query(node.this, scope.parent_with_ctes()), node, scope)


def _derived(query: Query, node: exp.Expr, scope: Scope) -> str:
    alias = node.args.get("alias")
    if alias is None and isinstance(node, exp.Table):
        alias = exp.TableAlias(this=exp.to_identifier(node.this.name))
    if alias is None:
        raise SqlError(102, "Incorrect syntax near ')'.", severity=15)
    fields = _rename(query.fields, alias, alias.name)
    add_source(scope, Source(alias.name, fields))
    columns = ", ".join(quote(field.name) for field in fields)
    return f"({query.sql}) AS {quote(alias.name)}({columns})"


def _rename(fields: Sequence[Field], alias: exp.Expr, owner: str) -> tuple[Field, ...]:
    return renamed(fields, [column.name for column in alias.args.get("columns") or ()], owner)


def _values(translator: Translator, node: exp.Expr, scope: Scope) -> Query:
    rows = [[translator.native(v, scope) for v in row.expressions] for row in node.expressions]
    columns = [same_type(list(column)) for column in zip(*rows, strict=True)]
    names = node.args["alias"].args.get("columns") or ()
    fields = tuple(
        Field(name.name, column[0].type, any(t.nullable for t in column))
        for name, column in zip(names, columns, strict=True)
    )
    lines = [f"({', '.join(expr.sql for expr in row)})" for row in zip(*columns, strict=True)]
    return Query(f"VALUES {', '.join(lines)}", fields)


def _table(translator: Translator, node: exp.Table, scope: Scope) -> str:
    if isinstance(node.this, exp.Anonymous):
        return _derived(_table_function(translator, node.this, scope), node, scope)
    if node.args.get("pivots"):
        raise SqlError(8630, "Internal Query Processor Error: the sandbox does not support PIVOT.")
    name = object_name(node)
    alias = node.alias or name.name
    cte = scope.find_cte(name.name) if not name.schema else None
    if cte is not None:
        add_source(scope, Source(alias, cte))
        return f"{quote(name.name)} AS {quote(alias)}"
    system = find_system_view(name, translator.context)
    if system is not None:
        add_source(scope, Source(alias, system.fields))
        return f"{system.sql} AS {quote(alias)}({system.column_list})"
    return _stored(translator, name, alias, scope)


def _stored(translator: Translator, name: ObjectName, alias: str, scope: Scope) -> str:
    found = translator.context.table(name)
    translator.context.check("SELECT", name, found)
    if isinstance(found, Table):
        add_source(scope, Source(alias, tuple(table_fields(found))))
        return f"{found.duckdb_name} AS {quote(alias)}"
    query = view_query(translator, found)
    add_source(scope, Source(alias, query.fields))
    columns = ", ".join(quote(field.name) for field in query.fields)
    return f"({query.sql}) AS {quote(alias)}({columns})"


def table_fields(table: Table) -> Iterator[Field]:
    """A table's columns as fields."""
    for column in table.columns:
        in_ticks = is_stored_in_ticks(column.type)
        yield Field(column.name, column.type, column.nullable, in_ticks, column.is_identity)


def view_query(translator: Translator, view: View) -> Query:
    """A view's query, with the view's column names."""
    query = translator.query(parse_text(view.query))
    return Query(query.sql, renamed(query.fields, view.columns, view.name))


def _table_function(translator: Translator, node: exp.Expr, scope: Scope) -> Query:
    """STRING_SPLIT, the only table function.

    Raises:
        SqlError: 208, another function.
    """
    if node.name.upper() != "STRING_SPLIT" or len(node.expressions) < 2:
        raise SqlError(208, f"Invalid object name '{node.name}'.")
    text, separator = (translator.native(part, scope) for part in node.expressions[:2])
    parts = f"string_split({text.sql}, {separator.sql})"
    sql_type = text.type if text.family == "text" else NVARCHAR_MAX
    return Query(f"SELECT unnest({parts}) AS value", (Field("value", sql_type),))
