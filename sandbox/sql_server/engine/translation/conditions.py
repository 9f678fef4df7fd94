"""Predicates: comparisons, AND, OR, IN, LIKE, EXISTS and so on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sandbox.sql_server.engine.values.comparison import comparable, compare
from sandbox.sql_server.engine.values.conversions import convert
from sandbox.sql_server.engine.values.sql_types import VARCHAR_MAX
from sandbox.sql_server.engine.values.typed_sql import TypedSql, quote
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.sql_server.engine.translation.name_scopes import Query, Scope
    from sandbox.sql_server.engine.translation.translator import Translator

_COMPARISONS: Mapping[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="
}  # fmt: skip


def _comparison(translator: Translator, node: exp.Expr, scope: Scope) -> str:
    operator = _COMPARISONS[type(node)]
    left, right = (
        translator.expression(node.this, scope),
        translator.expression(node.expression, scope),
    )
    return compare(operator, left, right)


_SUBQUERY = "?q"


def _value_of(query: Query) -> TypedSql:
    """The only column of a subquery aliased as `_SUBQUERY`."""
    (field,) = query.fields[:1]
    name = quote(query.output_names[0])
    return TypedSql(f"{quote(_SUBQUERY)}.{name}", field.type, in_ticks=field.in_ticks)


def _and(translator: Translator, node: exp.Expr, scope: Scope) -> str:
    parts = [translator.condition(part, scope) for part in node.flatten()]
    return f"({' AND '.join(parts)})"


def _or(translator: Translator, node: exp.Expr, scope: Scope) -> str:
    parts = [translator.condition(part, scope) for part in node.flatten()]
    return f"({' OR '.join(parts)})"


def _not(translator: Translator, node: exp.Expr, scope: Scope) -> str:
    return f"(NOT {translator.condition(node.this, scope)})"


def _in_parentheses(translator: Translator, node: exp.Expr, scope: Scope) -> str:
    return translator.condition(node.this, scope)


def _is_null(translator: Translator, node: exp.Expr, scope: Scope) -> str:
    return f"({translator.expression(node.this, scope).sql} IS NULL)"


def _between(translator: Translator, node: exp.Expr, scope: Scope) -> str:
    value = translator.expression(node.this, scope)
    low, high = (translator.expression(node.args[name], scope) for name in ("low", "high"))
    return f"({compare('>=', value, low)} AND {compare('<=', value, high)})"


def _in(translator: Translator, node: exp.Expr, scope: Scope) -> str:
    value = translator.expression(node.this, scope)
    if node.args.get("query") is None:
        if not node.expressions:
            raise SqlError(102, "Incorrect syntax near ')'.", severity=15)
        options = [translator.expression(option, scope) for option in node.expressions]
        return f"({' OR '.join(compare('=', value, option) for option in options)})"
    query = translator.query(node.args["query"], scope)
    left, right = comparable(value, _value_of(query))
    inner = f"SELECT {right.sql} FROM ({query.sql}) AS {quote(_SUBQUERY)}"
    return f"({left.sql} IN ({inner}))"


def _exists(translator: Translator, node: exp.Expr, scope: Scope) -> str:
    return f"EXISTS ({translator.query(node.this, scope).sql})"


def _like(translator: Translator, node: exp.Expr, scope: Scope) -> str:
    return _matches(translator, node, scope, "'\\'")


def _escaped_like(translator: Translator, node: exp.Expr, scope: Scope) -> str:
    if not isinstance(node.this, exp.Like):
        return translator.condition(node.this, scope)
    return _matches(translator, node.this, scope, translator.expression(node.expression, scope).sql)


def _matches(translator: Translator, node: exp.Expr, scope: Scope, escape: str) -> str:
    text, pattern = (
        convert(translator.native(part, scope), VARCHAR_MAX)
        for part in (node.this, node.expression)
    )
    if isinstance(pattern.constant, str) and "[" in pattern.constant:
        return _matches_sets(text, pattern.constant)
    if isinstance(pattern.constant, str) and escape == "'\\'":
        # A backslash does not escape in T-SQL; use a character that does not occur
        escape = "chr(1)"
    return f"({text.sql} ILIKE {pattern.sql} ESCAPE {escape})"


def _matches_sets(text: TypedSql, pattern: str) -> str:
    """LIKE with [a-z] sets, as a regular expression."""
    expression = ""
    is_in_set = False
    for character in pattern:
        if is_in_set:
            is_in_set = character != "]"
            expression += character if character != "\\" else r"\\"
        elif character == "[":
            is_in_set = True
            expression += "["
        else:
            expression += {"%": ".*", "_": "."}.get(character, _literal(character))
    written = expression.replace("'", "''")
    return f"regexp_full_match({text.sql}, '(?is){written}')"


def _literal(character: str) -> str:
    return character if character.isalnum() or character.isspace() else f"\\{character}"


CONDITIONS: Mapping[type[exp.Expr], Callable[[Translator, exp.Expr, Scope], str]] = {
    **dict.fromkeys(_COMPARISONS, _comparison),
    exp.And: _and,
    exp.Or: _or,
    exp.Not: _not,
    exp.Paren: _in_parentheses,
    exp.Is: _is_null,
    exp.Between: _between,
    exp.In: _in,
    exp.Exists: _exists,
    exp.Like: _like,
    exp.Escape: _escaped_like,
}
