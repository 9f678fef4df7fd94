"""Answers questions about a query from sqlglot's syntax tree. Pure."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_DIALECT = "tsql"
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between)
_CLAUSES_THAT_NAME_TABLES = {"with_", "from_", "joins", "laterals"}


def parse_select(sql: str) -> exp.Query | None:
    """The syntax tree of a query; None if sqlglot does not read it as one SELECT."""
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    try:
        statements = [tree for tree in sqlglot.parse(sql, dialect=_DIALECT) if tree is not None]
    except (SqlglotError, RecursionError):
        return None
    if len(statements) == 1 and isinstance(statements[0], exp.Query):
        return statements[0]
    return None


def find_comparisons(sql: str, numbers: Sequence[int]) -> Iterator[tuple[str, str]]:
    """Expressions compared with one of the numbers, each with a SELECT that returns only it.

    The SELECT has the same tables, so that the server can describe the expression's type.
    """
    tree = parse_select(sql)
    markers = {str(number) for number in numbers}
    for comparison in tree.find_all(*_COMPARISONS) if tree else ():
        sides = list(comparison.iter_expressions())
        others = [side for side in sides if not _is_one_of(side, markers)]
        select = comparison.find_ancestor(exp.Select)
        if tree and select and len(others) < len(sides):
            for other in others:
                if not isinstance(other, exp.Literal):
                    yield other.sql(_DIALECT), _select_only(other, select, tree)


def find_order(sql: str) -> list[tuple[str, bool]] | None:
    """The result columns in a query's ORDER BY, and whether each is descending.

    None if a term is not a column of the result, or may not be one.
    """
    tree = parse_select(sql)
    order = tree.args.get("order") if tree else None
    if not tree or not order:
        return None
    found = []
    for term in order.expressions:
        name = _result_column(term.this, tree)
        if not name:
            return None
        found.append((name, bool(term.args.get("desc"))))
    return found


def _result_column(term: exp.Expr, tree: exp.Query) -> str:
    """The result column that a term of ORDER BY refers to; empty if unknown."""
    selects = tree.selects
    has_star = any(select.is_star for select in selects)
    if isinstance(term, exp.Literal):
        position = int(term.name) if term.is_int else 0
        is_known = not has_star and 0 < position <= len(selects)
        return selects[position - 1].alias_or_name if is_known else ""
    is_column = isinstance(term, exp.Column)
    if isinstance(term, exp.Column) and not term.table:
        for select in selects:
            if select.alias_or_name.casefold() == term.name.casefold():
                return select.alias_or_name
    for select in selects:
        if _are_same(select.unalias(), term):
            return select.alias_or_name
    return term.name if is_column and has_star else ""


def _are_same(select: exp.Expr, term: exp.Expr) -> bool:
    """Whether both are the same value; a column name without a table is unambiguous."""
    if isinstance(select, exp.Column) and isinstance(term, exp.Column) and not select.table:
        return select.name.casefold() == term.name.casefold()
    return select == term


def _is_one_of(side: exp.Expr, markers: set[str]) -> bool:
    return isinstance(side, exp.Literal) and side.name in markers


def _select_only(expression: exp.Expr, select: exp.Select, tree: exp.Query) -> str:
    alone = select.copy()
    for clause in set(alone.args) - _CLAUSES_THAT_NAME_TABLES:
        alone.set(clause, None)
    if not alone.args.get("with_") and (with_ := tree.args.get("with_")):
        alone.set("with_", with_.copy())
    return alone.select(exp.alias_(expression.copy(), "compared")).sql(_DIALECT)
