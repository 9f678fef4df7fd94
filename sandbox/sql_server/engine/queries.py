"""SELECT, set operations and CTEs: which columns come out, and DuckDB's query for them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from sandbox.sql_server.engine.json_text import json_query
from sandbox.sql_server.engine.operators import coerced
from sandbox.sql_server.engine.scopes import Field, Query, Scope, output_name
from sandbox.sql_server.engine.sources import from_text
from sandbox.sql_server.engine.sql_types import common_type
from sandbox.sql_server.engine.terms import Term, quoted
from sandbox.sql_server.engine.windows import ordered
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sandbox.sql_server.engine.translation import Translator

Item = tuple[str, Term]
"""A value of a select list and its name, empty if it has none."""


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


def _output(name: str, term: Term, index: int) -> str:
    return f"{term.sql} AS {quoted(output_name(name, index))}"


def query_fields(items: Sequence[Item]) -> tuple[Field, ...]:
    """The fields of a select list."""
    return tuple(_field(name, term) for name, term in items)


def _field(name: str, term: Term) -> Field:
    return Field(
        name,
        term.type,
        term.nullable,
        in_steps=term.in_steps,
        is_identity=term.is_identity,
        is_json=term.is_json,
        is_untyped_null=term.is_untyped_null,
    )


def with_text(translator: Translator, node: exp.Expr, scope: Scope) -> str:
    """`WITH …` of a statement's CTEs, which the scope knows from then on."""
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
    columns = ", ".join(quoted(field.name) for field in fields)
    return f"{quoted(name)}({columns}) AS ({query.sql})"


def renamed(fields: Sequence[Field], names: Sequence[str], owner: str) -> tuple[Field, ...]:
    """The fields with the names that an alias list gives them.

    Raises:
        SqlError: 8155 a field has no name, 8156 two have the same, 8158 the list does not fit.
    """
    if names and len(names) != len(fields):
        message = f"'{owner}' has more columns than were specified in the column list."
        raise SqlError(8158, message)
    result = tuple(
        replace(f, name=n) for f, n in zip(fields, names or [f.name for f in fields], strict=True)
    )
    seen: set[str] = set()
    for index, field in enumerate(result, start=1):
        if not field.name:
            raise SqlError(8155, f"No column name was specified for column {index} of '{owner}'.")
        if field.name.lower() in seen:
            message = f"The column '{field.name}' was specified multiple times for '{owner}'."
            raise SqlError(8156, message)
        seen.add(field.name.lower())
    return result


def select_items(translator: Translator, nodes: Sequence[exp.Expr], scope: Scope) -> Iterator[Item]:
    """The values of a select list, stars spelled out."""
    for node in nodes:
        if isinstance(node, exp.Star) or (
            isinstance(node, exp.Column) and isinstance(node.this, exp.Star)
        ):
            yield from _star(scope, node.args["table"].name if node.args.get("table") else "")
        elif isinstance(node, exp.Alias):
            yield node.alias, translator.term(node.this, scope)
        else:
            yield node.name if isinstance(node, exp.Column) else "", translator.term(node, scope)


def _star(scope: Scope, qualifier: str) -> Iterator[Item]:
    sources = scope.matching(qualifier)
    if not sources:
        if qualifier:
            message = f"The column prefix '{qualifier}' does not match with a table name or alias name used in the query."
            raise SqlError(107, message, severity=15)
        raise SqlError(263, "Must specify table to select from.")
    for source in sources:
        for field in source.fields:
            yield field.name, source.term(field)


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
            inner = ", ".join(translator.term(k, scope).sql for k in key.expressions)
            yield f"{'ROLLUP' if isinstance(key, exp.Rollup) else 'CUBE'} ({inner})"
        else:
            yield translator.term(key, scope).sql


def order_text(translator: Translator, node: exp.Expr, scope: Scope, items: Sequence[Item]) -> str:
    """ORDER BY: a name means a column of the select list first, a number its position."""
    order = node.args.get("order")
    if order is None:
        return ""
    names = [name.lower() for name, _ in items]
    keys = [_sort_key(translator, part, scope, names) for part in order.expressions]
    return f" ORDER BY {', '.join(keys)}"


def _sort_key(translator: Translator, part: exp.Expr, scope: Scope, names: Sequence[str]) -> str:
    node = part.this
    if isinstance(node, exp.Literal) and not node.args["is_string"]:
        position = int(node.name)
        if not 1 <= position <= len(names):
            message = f"The ORDER BY position number {position} is out of range of the number of items in the select list."
            raise SqlError(108, message)
        return ordered(str(position), part)
    if isinstance(node, exp.Column) and not node.table and node.name.lower() in names:
        return ordered(str(names.index(node.name.lower()) + 1), part)
    return ordered(translator.term(node, scope).sql, part)


def _limit_text(translator: Translator, node: exp.Expr, scope: Scope) -> str:
    limit, offset = node.args.get("limit"), node.args.get("offset")
    text = ""
    if limit is not None:
        count = limit.args.get("count") or limit.expression
        options = limit.args.get("limit_options")
        percent = "%" if options is not None and options.args.get("percent") else ""
        text = f" LIMIT {translator.term(count, scope).sql}{percent}"
    if offset is not None:
        text += f" OFFSET {translator.term(offset.expression, scope).sql}"
    return text


_OPERATIONS = {exp.Union: "UNION", exp.Except: "EXCEPT", exp.Intersect: "INTERSECT"}


def _set_operation(translator: Translator, node: exp.Expr, parent: Scope | None) -> Query:
    scope = Scope(parent)
    prefix = with_text(translator, node, scope)
    left, right = (translator.query(part, scope) for part in (node.left, node.right))
    if len(left.fields) != len(right.fields):
        message = (
            "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal "
            "number of expressions in their target lists."
        )
        raise SqlError(205, message)
    fields = tuple(_merged(a, b) for a, b in zip(left.fields, right.fields, strict=True))
    operator = _OPERATIONS[type(node)] + ("" if node.args.get("distinct") else " ALL")
    items = [(field.name, Term("", field.type)) for field in fields]
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
        in_steps=left.in_steps and right.in_steps and sql_type == left.type == right.type,
        is_identity=False,
    )


def _as(query: Query, fields: Sequence[Field]) -> str:
    """The query with its fields in the types of these."""
    if all(
        a.type == b.type and a.in_steps == b.in_steps
        for a, b in zip(query.fields, fields, strict=True)
    ):
        return query.sql
    columns = []
    for field, wanted, name in zip(query.fields, fields, query.output_names, strict=True):
        term = Term(quoted(name), field.type, in_steps=field.in_steps)
        term = term if wanted.in_steps else coerced(term, wanted.type)
        columns.append(f"{term.sql} AS {quoted(name)}")
    return f"SELECT {', '.join(columns)} FROM ({query.sql})"


def _in_parentheses(translator: Translator, node: exp.Expr, parent: Scope | None) -> Query:
    return translator.query(node.this, parent)


QUERIES: Mapping[type[exp.Expr], Callable[[Translator, exp.Expr, Scope | None], Query]] = {
    exp.Select: _select,
    **dict.fromkeys(_OPERATIONS, _set_operation),
    exp.Subquery: _in_parentheses,
    exp.Paren: _in_parentheses,
}
