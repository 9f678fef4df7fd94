"""SELECT, set operations and CTEs: their columns and DuckDB SQL."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from sandbox.sql_server.engine.translation.for_json import json_query
from sandbox.sql_server.engine.translation.name_scopes import (
    Field,
    Query,
    Scope,
    output_name,
    renamed,
)
from sandbox.sql_server.engine.translation.select_lists import (
    order_text,
    query_fields,
    select_items,
)
from sandbox.sql_server.engine.translation.sources import from_text
from sandbox.sql_server.engine.values.comparison import coerced
from sandbox.sql_server.engine.values.sql_types import common_type
from sandbox.sql_server.engine.values.typed_sql import TypedSql, quote
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sandbox.sql_server.engine.translation.translator import Translator


def _select(translator: Translator, node: exp.Expr, parent: Scope | None) -> Query:
    scope = Scope(parent)
    prefix = with_text(translator, node, scope)
    source = from_text(translator, node, scope)
    items = list(select_items(translator, node.expressions, scope))
    if not items:
        raise SqlError(156, "Incorrect syntax near the keyword 'FROM'.", severity=15)
    distinct = "DISTINCT " if node.args.get("distinct") else ""
    body = f"{source}{_filters(translator, node, scope)}"
    order = order_text(translator, node, scope, items)
    limit = _limit_text(translator, node, scope)
    fields = query_fields(items)
    columns = ", ".join(_output(*item, index) for index, item in enumerate(items))
    query = Query(f"{prefix}SELECT {distinct}{columns}{body}{order}{limit}", fields)
    clause = node.args.get("for_")
    return json_query(query, clause) if clause is not None else query


def _output(name: str, expr: TypedSql, index: int) -> str:
    return f"{expr.sql} AS {quote(output_name(name, index))}"


def with_text(translator: Translator, node: exp.Expr, scope: Scope) -> str:
    """`WITH …` of a statement; adds its CTEs to the scope."""
    clause = node.args.get("with_")
    if clause is None:
        return ""
    parts = [_cte(translator, cte, scope) for cte in clause.expressions]
    return f"WITH RECURSIVE {', '.join(parts)} "


def _cte(translator: Translator, cte: exp.Expr, scope: Scope) -> str:
    name = cte.args["alias"].this.name
    renames = [column.name for column in cte.args["alias"].args.get("columns") or ()]
    if isinstance(cte.this, exp.Union):
        anchor = translator.query(cte.this.left, scope)
        scope.ctes[name.lower()] = renamed(anchor.fields, renames, name)
    query = translator.query(cte.this, scope)
    fields = scope.ctes[name.lower()] = renamed(query.fields, renames, name)
    columns = ", ".join(quote(field.name) for field in fields)
    return f"{quote(name)}({columns}) AS ({query.sql})"


def _filters(translator: Translator, node: exp.Expr, scope: Scope) -> str:
    where, group, having = (node.args.get(name) for name in ("where", "group", "having"))
    text = f" WHERE {translator.condition(where.this, scope)}" if where else ""
    if group:
        text += f" GROUP BY {', '.join(_group_keys(translator, group, scope))}"
    if having:
        text += f" HAVING {translator.condition(having.this, scope)}"
    return text


def _group_keys(translator: Translator, group: exp.Expr, scope: Scope) -> Iterator[str]:
    for key in group.expressions:
        if isinstance(key, exp.Rollup | exp.Cube):
            inner = ", ".join(translator.expression(k, scope).sql for k in key.expressions)
            yield f"{'ROLLUP' if isinstance(key, exp.Rollup) else 'CUBE'} ({inner})"
        else:
            yield translator.expression(key, scope).sql


def _limit_text(translator: Translator, node: exp.Expr, scope: Scope) -> str:
    limit, offset = node.args.get("limit"), node.args.get("offset")
    text = ""
    if limit is not None:
        count = limit.args.get("count") or limit.expression
        options = limit.args.get("limit_options")
        percent = "%" if options is not None and options.args.get("percent") else ""
        text = f" LIMIT {translator.expression(count, scope).sql}{percent}"
    if offset is not None:
        text += f" OFFSET {translator.expression(offset.expression, scope).sql}"
    return text


_OPERATIONS: Mapping[type[exp.Expr], str] = {
    exp.Union: "UNION",
    exp.Except: "EXCEPT",
    exp.Intersect: "INTERSECT",
}


def _set_operation(translator: Translator, node: exp.Expr, parent: Scope | None) -> Query:
    scope = Scope(parent)
    prefix = with_text(translator, node, scope)
    left, right = (translator.query(node.args[part], scope) for part in ("this", "expression"))
    if len(left.fields) != len(right.fields):
        message = (
            "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal "
            "number of expressions in their target lists."
        )
        raise SqlError(205, message)
    fields = tuple(_merged(a, b) for a, b in zip(left.fields, right.fields, strict=True))
    operator = _OPERATIONS[type(node)] + ("" if node.args.get("distinct") else " ALL")
    items = [(field.name, TypedSql("", field.type)) for field in fields]
    order = order_text(translator, node, scope, items)
    limit = _limit_text(translator, node, scope)
    sql = f"{prefix}({_as(left, fields)}) {operator} ({_as(right, fields)}){order}{limit}"
    return Query(sql, fields)


def _merged(left: Field, right: Field) -> Field:
    if left.is_untyped_null:
        return replace(right, name=left.name, is_identity=False)
    sql_type = left.type if right.is_untyped_null else common_type(left.type, right.type)
    return replace(
        left,
        type=sql_type,
        nullable=left.nullable or right.nullable,
        in_ticks=left.in_ticks and right.in_ticks and sql_type == left.type == right.type,
        is_identity=False,
    )


def _as(query: Query, fields: Sequence[Field]) -> str:
    """The query with its columns cast to the types of these fields."""
    pairs = zip(query.fields, fields, strict=True)
    if all(a.type == b.type and a.in_ticks == b.in_ticks for a, b in pairs):
        return query.sql
    columns = []
    for field, wanted, name in zip(query.fields, fields, query.output_names, strict=True):
        expr = TypedSql(quote(name), field.type, in_ticks=field.in_ticks)
        expr = expr if wanted.in_ticks else coerced(expr, wanted.type)
        columns.append(f"{expr.sql} AS {quote(name)}")
    return f"SELECT {', '.join(columns)} FROM ({query.sql})"


def _in_parentheses(translator: Translator, node: exp.Expr, parent: Scope | None) -> Query:
    return translator.query(node.this, parent)


QUERIES: Mapping[type[exp.Expr], Callable[[Translator, exp.Expr, Scope | None], Query]] = {
    exp.Select: _select,
    **dict.fromkeys(_OPERATIONS, _set_operation),
    exp.Subquery: _in_parentheses,
    exp.Paren: _in_parentheses,
}
