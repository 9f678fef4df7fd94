"""Select lists: stars expanded, names, nullability; and ORDER BY, which refers to them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from sqlglot import exp

from sandbox.sql_server.engine.translation.name_scopes import Field
from sandbox.sql_server.engine.translation.windows import ordered
from sandbox.sql_server.engine.values.comparison import sort_key
from sandbox.sql_server.engine.values.typed_sql import TypedSql
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sandbox.sql_server.engine.translation.name_scopes import Scope
    from sandbox.sql_server.engine.translation.translator import Translator

Item: TypeAlias = tuple[str, TypedSql]
"""A name, empty if there is none, and an expression of a select list."""


def query_fields(items: Sequence[Item]) -> tuple[Field, ...]:
    """The fields of a select list."""
    return tuple(_field(name, expr) for name, expr in items)


def _field(name: str, expr: TypedSql) -> Field:
    return Field(
        name,
        expr.type,
        expr.nullable,
        in_ticks=expr.in_ticks,
        is_identity=expr.is_identity,
        is_json=expr.is_json,
        is_untyped_null=expr.is_untyped_null,
    )


def select_items(translator: Translator, nodes: Sequence[exp.Expr], scope: Scope) -> Iterator[Item]:
    """The items of a select list, stars expanded."""
    for node in nodes:
        if isinstance(node, exp.Star) or (
            isinstance(node, exp.Column) and isinstance(node.this, exp.Star)
        ):
            yield from _star(scope, node.args["table"].name if node.args.get("table") else "")
        elif isinstance(node, exp.Alias):
            yield node.alias, _item(translator, node.this, scope)
        else:
            name = node.name if isinstance(node, exp.Column) else ""
            yield name, _item(translator, node, scope)


_KNOWN_NULLABILITY = (exp.Column, exp.Literal, exp.National, exp.HexString)


def _item(translator: Translator, node: exp.Expr, scope: Scope) -> TypedSql:
    """An item; SQL Server reports all expressions but these as nullable."""
    expr = translator.expression(node, scope)
    inner = node.this if isinstance(node, exp.Neg) else node
    is_is_null = isinstance(node, exp.Anonymous) and node.name.upper() == "ISNULL"
    if isinstance(inner, _KNOWN_NULLABILITY) or is_is_null:
        return expr
    return replace(expr, nullable=True)


def _star(scope: Scope, qualifier: str) -> Iterator[Item]:
    sources = scope.matching(qualifier)
    if not sources:
        if qualifier:
            message = (
                f"The column prefix '{qualifier}' does not match with a table name or alias name "
                "used in the query."
            )
            raise SqlError(107, message, severity=15)
        raise SqlError(263, "Must specify table to select from.")
    for source in sources:
        for field in source.fields:
            yield field.name, source.column(field)


def order_text(translator: Translator, node: exp.Expr, scope: Scope, items: Sequence[Item]) -> str:
    """ORDER BY: a name refers to the select list first, a number to a position."""
    order = node.args.get("order")
    if order is None:
        return ""
    keys = [_sort_key(translator, part, scope, items) for part in order.expressions]
    return f" ORDER BY {', '.join(keys)}"


def _sort_key(translator: Translator, part: exp.Expr, scope: Scope, items: Sequence[Item]) -> str:
    node = part.this
    names = [name.lower() for name, _ in items]
    if isinstance(node, exp.Literal) and not node.args["is_string"]:
        position = int(node.name)
        if not 1 <= position <= len(names):
            message = (
                f"The ORDER BY position number {position} is out of range of the number of items "
                "in the select list."
            )
            raise SqlError(108, message)
        return ordered(_key_of_item(position, items), part)
    if isinstance(node, exp.Column) and not node.table and node.name.lower() in names:
        return ordered(_key_of_item(names.index(node.name.lower()) + 1, items), part)
    return ordered(sort_key(translator.expression(node, scope)), part)


def _key_of_item(position: int, items: Sequence[Item]) -> str:
    """The position, unless the item sorts differently in DuckDB."""
    expr = items[position - 1][1]
    key = sort_key(expr)
    return str(position) if key == expr.sql else key
