"""Restricts a query to a range of its rows. Pure.

The user's text is never rewritten: it is split into CTEs, SELECT and ORDER BY, which are put around
a condition. A query whose result would change is refused, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_mssql_query.errors import QueryFailed
from tap_mssql_query.sql.key_range import quote_name
from tap_mssql_query.sql.select_only import SelectQuery
from tap_mssql_query.sql.tokenizer import tokenize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_mssql_query.sql.tokenizer import Token

_ROWS = "[tap_mssql_query rows]"
_FOR_MODES = ("XML", "JSON", "BROWSE")


@dataclass(frozen=True, slots=True)
class RangeQuery:
    """The parts of a query; `order` is its ORDER BY, by names of result columns."""

    ctes: str
    select: str
    order: str

    def where(self, condition: str, *, order: str = "") -> SelectQuery:
        """A query for the rows that meet a condition, in the query's order or another."""
        return self._around(
            f"SELECT * FROM {_ROWS} WHERE {condition}{order or self.order}"  # noqa: S608 - the user's own
        )

    def extremes_query(self, column: str, *, counts: bool) -> SelectQuery:
        """A query for a column's minimum and maximum, and the number of rows if `counts`."""
        name = quote_name(column)
        count = "COUNT_BIG(*)" if counts else "0"
        return self._around(
            f"SELECT MIN({name}) AS least, MAX({name}) AS greatest, {count} AS rows_read "  # noqa: S608 - quoted
            f"FROM {_ROWS}"
        )

    def _around(self, outer: str) -> SelectQuery:
        # The line breaks end comments at the ends of the parts.
        ctes = f"{self.ctes}\n, " if self.ctes else ""
        return SelectQuery(f"WITH {ctes}{_ROWS} AS (\n{self.select}\n)\n{outer}")


def split_query(query: SelectQuery, *, keeps_order: bool = True) -> RangeQuery:
    """Split a query into its parts. Raises QueryFailed with the reason if it cannot be.

    Args:
        query: the query.
        keeps_order: whether its ORDER BY is kept; otherwise it must have none.
    """
    sql = query.sql
    tokens = [token for token in tokenize(sql) if token.text != ";"]
    start = 0
    ctes = ""
    if tokens[0].text == "WITH":
        start = _end_of_ctes(tokens)
        ctes = sql[tokens[0].end : tokens[start].start].strip()
    outer = [token for token in _outside_parentheses(tokens) if token.start >= tokens[start].start]
    words = [token.text for token in outer]
    _refuse_unsupported(words)
    end = tokens[-1].end
    order = ""
    if "ORDER" in words:
        if not keeps_order:
            raise _refusal("it has an ORDER BY, which `order_column` replaces: remove it")
        end = outer[words.index("ORDER")].start
        order = "\nORDER BY " + ", ".join(_order_of(sql))
    return RangeQuery(ctes, sql[tokens[start].start : end].rstrip(), order)


def _refusal(reason: str) -> QueryFailed:
    return QueryFailed(f"The query cannot be split into ranges: {reason}.")


def _outside_parentheses(tokens: Sequence[Token]) -> Iterator[Token]:
    depth = 0
    for token in tokens:
        depth -= token.text == ")"
        if depth == 0 and token.text not in ("(", ")"):
            yield token
        depth += token.text == "("


def _end_of_ctes(tokens: Sequence[Token]) -> int:
    """Where the SELECT begins: after a closing parenthesis without a comma or AS behind it."""
    depth = 0
    for index, token in enumerate(tokens[:-1]):
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.text == ")" and tokens[index + 1].text not in (",", "AS"):
            if tokens[1].text == "XMLNAMESPACES":
                break
            return index + 1
    raise _refusal("the end of its WITH clause was not found")


def _refuse_unsupported(words: Sequence[str]) -> None:
    for index, word in enumerate(words):
        following = words[index + 1] if index + 1 < len(words) else ""
        if word == "TOP" or (word == "OFFSET" and "ORDER" in words):
            raise _refusal(f"{word} limits its rows, and would apply to each range separately")
        if word == "FOR" and following in _FOR_MODES:
            raise _refusal(f"FOR {following} turns its rows into one value")
        if word == "OPTION":
            raise _refusal("OPTION is only allowed at the end of a statement: remove it")


def _order_of(sql: str) -> Iterator[str]:
    """The terms of the ORDER BY, as names of result columns."""
    from tap_mssql_query.sql.syntax_tree import find_order  # noqa: PLC0415 - loads sqlglot, 0.1 s

    order = find_order(sql)
    if order is None:
        raise _refusal(
            "its ORDER BY has an expression that is not a column of the result: add it to the "
            "result, or remove it from the ORDER BY"
        )
    for name, is_descending in order:
        yield quote_name(name) + (" DESC" if is_descending else "")
