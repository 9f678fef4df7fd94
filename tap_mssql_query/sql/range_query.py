"""A query → the same query for a part of its rows. Pure.

The user's text is never rewritten: its CTEs, its SELECT and its ORDER BY are cut apart and put
around a condition. Where that would change what it returns it is refused, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_mssql_query.errors import QueryFailed
from tap_mssql_query.sql.key_range import quote_name
from tap_mssql_query.sql.tokenizer import tokenize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_mssql_query.sql.tokenizer import Token

_ROWS = "[tap_mssql_query rows]"
_FORMS = ("XML", "JSON", "BROWSE")


@dataclass(frozen=True, slots=True)
class BoundedQuery:
    """The tokens of a query; `order` is the ORDER BY of its result, in names of its columns."""

    ctes: str
    select: str
    order: str

    def where(self, condition: str, *, order: str = "") -> str:
        """The query's rows for which a condition holds, in the query's order or another."""
        return self._around(
            f"SELECT * FROM {_ROWS} WHERE {condition}{order or self.order}"  # noqa: S608 - the user's own
        )

    def extent(self, column: str, *, counts: bool) -> str:
        """A query for the least value of a column, its greatest one and, if asked, how many."""
        name = quote_name(column)
        count = "COUNT_BIG(*)" if counts else "0"
        return self._around(
            f"SELECT MIN({name}) AS least, MAX({name}) AS greatest, {count} AS rows_read "  # noqa: S608 - quoted
            f"FROM {_ROWS}"
        )

    def _around(self, outer: str) -> str:
        # The line break ends a comment that the query may end with.
        ctes = f"{self.ctes}, " if self.ctes else ""
        return f"WITH {ctes}{_ROWS} AS (\n{self.select}\n)\n{outer}"


def take_apart(sql: str, *, keeps_order: bool = True) -> BoundedQuery:
    """Cut a rendered query apart. Raises QueryFailed with the reason if it cannot be bounded.

    Args:
        sql: one SELECT.
        keeps_order: whether its ORDER BY is kept; else it must have none.
    """
    tokens = [token for token in tokenize(sql) if token.text != ";"]
    start = 0
    ctes = ""
    if tokens[0].text == "WITH":
        start = _end_of_ctes(tokens)
        ctes = sql[tokens[0].end : tokens[start].start].strip()
    outer = [
        token for token in _outside_of_parentheses(tokens) if token.start >= tokens[start].start
    ]
    words = [token.text for token in outer]
    _refuse_unusual(words)
    end = tokens[-1].end
    order = ""
    if "ORDER" in words:
        if not keeps_order:
            raise _refusal("it has an ORDER BY, whose place `order_column` takes: leave it out")
        end = outer[words.index("ORDER")].start
        order = "\nORDER BY " + ", ".join(_order_of(sql))
    return BoundedQuery(ctes, sql[tokens[start].start : end].rstrip(), order)


def _refusal(reason: str) -> QueryFailed:
    return QueryFailed(f"The query cannot be read in parts: {reason}.")


def _outside_of_parentheses(tokens: Sequence[Token]) -> Iterator[Token]:
    depth = 0
    for token in tokens:
        depth -= token.text == ")"
        if depth == 0 and token.text not in ("(", ")"):
            yield token
        depth += token.text == "("


def _end_of_ctes(tokens: Sequence[Token]) -> int:
    """Where the SELECT begins: after a parenthesis that no comma and no AS follows."""
    depth = 0
    for index, token in enumerate(tokens[:-1]):
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.text == ")" and tokens[index + 1].text not in (",", "AS"):
            if tokens[1].text == "XMLNAMESPACES":
                break
            return index + 1
    raise _refusal("its WITH cannot be told from its SELECT")


def _refuse_unusual(words: Sequence[str]) -> None:
    for index, word in enumerate(words):
        following = words[index + 1] if index + 1 < len(words) else ""
        if word == "TOP" or (word == "OFFSET" and "ORDER" in words):
            raise _refusal(f"{word} takes some of its rows, and every part would have its own")
        if word == "FOR" and following in _FORMS:
            raise _refusal(f"FOR {following} makes one value of its rows")
        if word == "OPTION":
            raise _refusal("OPTION stands at the end of a whole statement: leave it out")


def _order_of(sql: str) -> Iterator[str]:
    """The terms of the ORDER BY, in names of columns of the result."""
    from tap_mssql_query.sql.syntax_tree import find_order  # noqa: PLC0415 - loads sqlglot, 0.1 s

    order = find_order(sql)
    if order is None:
        raise _refusal("its ORDER BY holds what is no column of the result: add that, or leave it")
    for name, is_descending in order:
        yield quote_name(name) + (" DESC" if is_descending else "")
