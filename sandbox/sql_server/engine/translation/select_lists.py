"""Select lists: stars spelled out, names, nullability; and ORDER BY, which refers to them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from sqlglot import exp

from sandbox.sql_server.engine.translation.name_scopes import Field
from sandbox.sql_server.engine.translation.windows import ordered
from sandbox.sql_server.engine.values.operators import sort_key
from sandbox.sql_server.engine.values.typed_sql import Term
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sandbox.sql_server.engine.translation.name_scopes import Scope
    from sandbox.sql_server.engine.translation.translator import Translator

Item: TypeAlias = tuple[str, Term]
"""A value of a select list and its name, empty if it has none."""


def query_fields(items: Sequence[Item]) -> tuple[Field, ...]:
    """The fields of a select list."""
    return tuple(_field(name, term) for name, term in items)


def _field(name: str, term: Term) -> Field:
    return Field(
        name,
        term.type,
        term.nullable,
        in_ticks=term.in_ticks,
        is_identity=term.is_identity,
        is_json=term.is_json,
        is_untyped_null=term.is_untyped_null,
    )


def select_items(translator: Translator, nodes: Sequence[exp.Expr], scope: Scope) -> Iterator[Item]:
    """The values of a select list, stars spelled out."""
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


def _item(translator: Translator, node: exp.Expr, scope: Scope) -> Term:
    """A value; SQL Server calls every other expression than these nullable."""
    term = translator.term(node, scope)
    inner = node.this if isinstance(node, exp.Neg) else node
    is_is_null = isinstance(node, exp.Anonymous) and node.name.upper() == "ISNULL"
    if isinstance(inner, _KNOWN_NULLABILITY) or is_is_null:
        return term
    return replace(term, nullable=True)


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
            yield field.name, source.term(field)


def order_text(translator: Translator, node: exp.Expr, scope: Scope, items: Sequence[Item]) -> str:
    """ORDER BY: a name means a column of the select list first, a number its position."""
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
    return ordered(sort_key(translator.term(node, scope)), part)


def _key_of_item(position: int, items: Sequence[Item]) -> str:
    """The position, unless the item's values have another order than DuckDB's."""
    term = items[position - 1][1]
    key = sort_key(term)
    return str(position) if key == term.sql else key
