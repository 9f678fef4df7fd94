"""Answers questions about a query from sqlglot's syntax tree. Pure."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from tap_mssql_query.sql.tokenizer import tokenize

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_DIALECT = "tsql"
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between)
_BOUND_OF_LATER: dict[type[exp.Expr], str] = {exp.GT: "expression", exp.LT: "this"}
"""Comparisons that leave out equal values, and the argument that is their lower bound."""
_SYSTEM_SCHEMAS = frozenset({"sys", "information_schema"})
_CLAUSES_THAT_NAME_TABLES = {"with_", "from_", "joins", "laterals"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """An expression that is compared with a literal.

    Attributes:
        expression: as SQL.
        select: a SELECT that returns only the expression, from the same tables, so that the server
            can describe its type.
        literal: the text of the literal.
        excludes_equal: whether the comparison is `>`, read from the expression.
    """

    expression: str
    select: str
    literal: str
    excludes_equal: bool


def parse_select(sql: str) -> exp.Query | None:
    """The syntax tree of a query; None if sqlglot does not read it as one SELECT."""
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    try:
        trees = sqlglot.parse(_plain_text(sql), dialect=_DIALECT)
        statements = [tree for tree in trees if tree is not None]
    except (SqlglotError, RecursionError):
        return None
    if len(statements) == 1 and isinstance(statements[0], exp.Query):
        return statements[0]
    return None


def _plain_text(sql: str) -> str:
    """The query without comments, and with single blanks.

    sqlglot does not know ORDER BY and the like with a comment between their words.
    """
    tokens = list(tokenize(sql))
    ends = [0, *(token.end for token in tokens)]
    return "".join(
        (" " if end < token.start else "") + sql[token.start : token.end]
        for end, token in zip(ends, tokens, strict=False)
    )


def find_comparisons(sql: str, literals: Collection[str]) -> Iterator[Comparison]:
    """The comparisons with one of the literals: numbers, or texts that are cast to a date-time."""
    tree = parse_select(sql)
    for comparison in tree.find_all(*_COMPARISONS) if tree else ():
        sides = list(comparison.iter_expressions())
        literal = next((side for side in sides if _text_of(side) in literals), None)
        select = comparison.find_ancestor(exp.Select)
        if tree is None or select is None or literal is None:
            continue
        excludes_equal = literal.arg_key == _BOUND_OF_LATER.get(type(comparison))
        for side in sides:
            if _text_of(side) is None:
                yield Comparison(
                    side.sql(_DIALECT),
                    _select_only(side, select, tree),
                    str(_text_of(literal)),
                    excludes_equal,
                )


def find_tables(sql: str) -> list[tuple[str, str, str]] | None:
    """The database, schema and name of all tables, views and table-valued functions of a query.

    Database and schema are empty where the query has none. CTEs, built-in functions and system
    views are left out. None if sqlglot does not read the query.
    """
    tree = parse_select(sql)
    if tree is None:
        return None
    ctes = {cte.alias.casefold() for cte in tree.find_all(exp.CTE)}
    found = []
    for table in tree.find_all(exp.Table):
        name = table.this.name
        is_own = bool(table.db) or (
            isinstance(table.this, exp.Identifier) and name.casefold() not in ctes
        )
        is_system = table.db.casefold() in _SYSTEM_SCHEMAS or name.startswith(("#", "@"))
        if name and is_own and not is_system:
            found.append((table.catalog, table.db, name))
    return list(dict.fromkeys(found))


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


def _text_of(side: exp.Expr) -> str | None:
    """The text of a literal, also of one that is cast; None for any other expression."""
    inner = side.this if isinstance(side, exp.Cast) else side
    return inner.name if isinstance(inner, exp.Literal) else None


def _select_only(expression: exp.Expr, select: exp.Select, tree: exp.Query) -> str:
    alone = select.copy()
    for clause in set(alone.args) - _CLAUSES_THAT_NAME_TABLES:
        alone.set(clause, None)
    if not alone.args.get("with_") and (with_ := tree.args.get("with_")):
        alone.set("with_", with_.copy())
    return alone.select(exp.alias_(expression.copy(), "compared")).sql(_DIALECT)
