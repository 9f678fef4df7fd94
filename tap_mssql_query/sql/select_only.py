"""Decides whether a query is exactly one SELECT that writes nothing. Pure.

Text of a user reaches a server only as a `SelectQuery`, which exists only if the text was checked.

It looks at words rather than at a syntax tree: another parser would read `SELECT 1 DELETE FROM t`
as a column called DELETE; it is only asked whether it can parse the query at all. Text that servers
may divide into other words is refused.
"""

from __future__ import annotations

import itertools
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from program_kit.findings import Finding, Level
from tap_mssql_query.errors import QueryFailed
from tap_mssql_query.sql.forbidden_words import SECTION, find_forbidden_words
from tap_mssql_query.sql.meltano_expansion import find_lost_variable
from tap_mssql_query.sql.outside import find_reaches
from tap_mssql_query.sql.tokenizer import (
    Token,
    TokenKind,
    find_unclear_line_end,
    is_stuck,
    tokenize,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SET_OPERATORS = frozenset({"UNION", "ALL", "EXCEPT", "INTERSECT"})
_DIRTY_READS = frozenset({"NOLOCK", "READUNCOMMITTED"})
_END = Token(TokenKind.SYMBOL, ";")
_STEPS = {"(": 1, ")": -1}


@dataclass(frozen=True, slots=True)
class SelectQuery:
    """A rendered query, or one that was made of it, which is one SELECT and writes nothing.

    Raises QueryFailed for any other text.
    """

    sql: str

    def __post_init__(self) -> None:
        if violations := find_violations(self.sql):
            raise QueryFailed(f"The query is not run. {' '.join(violations)}")


def check_query(sql: str) -> list[Finding]:
    """All errors and warnings about a rendered query."""
    violations = find_violations(sql)
    warnings = [*_find_dirty_reads(list(tokenize(sql)))]
    if lost := find_lost_variable(sql):
        warnings.append(lost)
    if not violations and not is_parsable(sql):
        warnings.append("The query could not be parsed: only its words were checked. Review it.")
    return [
        *(Finding(Level.ERROR, violation) for violation in violations),
        *(Finding(Level.WARNING, warning) for warning in warnings),
    ]


def find_violations(sql: str) -> list[str]:
    """Why the rendered query is not run, a sentence or more each; empty if it is.

    It may write, is not one SELECT, reaches outside the database, or can be read in two ways.
    """
    tokens = list(tokenize(sql))
    statement = [*_statement_violations(tokens), *find_forbidden_words(sql, tokens)]
    if statement and tokens:
        statement.append(SECTION)
    return [*_find_unclear_text(sql, tokens), *statement, *find_reaches(tokens)]


def is_parsable(sql: str) -> bool:
    """Whether sqlglot reads the query as one SELECT."""
    from tap_mssql_query.sql.syntax_tree import parse_select  # noqa: PLC0415 - loads sqlglot, 0.1 s

    return parse_select(sql) is not None


def _find_unclear_text(sql: str, tokens: Sequence[Token]) -> Iterator[str]:
    """What servers may read in different ways, or what is cut off."""
    # It is not documented how SQL Server reads a NUL between two letters.
    if any(unicodedata.category(c) == "Cc" and not c.isspace() for c in sql):
        yield "It contains control characters; remove them."
    if line_end := find_unclear_line_end(sql):
        yield (
            f"A comment after -- contains {line_end}, which may or may not end the line: end lines "
            "with line feeds only."
        )
    if any(token.kind is TokenKind.UNCLOSED for token in tokens):
        yield "A comment, a string or a quoted name is not closed."
    unknown = [token.text for token in tokens if _is_unknown(token)]
    if unknown:
        yield (
            f"It contains the character U+{ord(unknown[0]):04X} outside of strings and quoted "
            "names, perhaps copied from a text; remove it or write it on the keyboard."
        )
    if any(is_stuck(number, word) for number, word in itertools.pairwise(tokens)):
        yield "A number and a word are not separated; write a blank between them."
    if not _is_balanced(tokens):
        yield "Its parentheses do not match."


def _is_unknown(token: Token) -> bool:
    """Whether a symbol is none of T-SQL, nor a currency sign or a part of a letter."""
    return (
        token.kind is TokenKind.SYMBOL
        and not token.text.isascii()
        and unicodedata.category(token.text)[0] != "M"
        and unicodedata.category(token.text) != "Sc"
    )


def _statement_violations(tokens: Sequence[Token]) -> Iterator[str]:
    """Whether there is exactly one statement, and whether it is a SELECT."""
    statements = [
        list(group) for is_end, group in itertools.groupby(tokens, _END.__eq__) if not is_end
    ]
    if not statements:
        yield "It contains no statement: write a SELECT."
        return
    count = sum(_count_selects(statement) for statement in statements)
    if count > 1:
        yield f"It contains {count} statements; a sync is one SELECT."
    first = next((token.text for token in statements[0] if token.text != "("), "")
    if first not in ("SELECT", "WITH"):
        yield "It does not begin with SELECT or WITH."


def _is_balanced(tokens: Sequence[Token]) -> bool:
    """Whether no parenthesis is closed before it is opened, so that none is of a text around it."""
    steps = (_STEPS.get(token.text, 0) for token in tokens)
    depths = [*itertools.accumulate(steps, initial=0)]
    return min(depths) == depths[-1] == 0


def _count_selects(statement: Sequence[Token]) -> int:
    """The number of statements without a semicolon between them; at least 1."""
    depth = 0
    count = 0
    before = _END
    for token in statement:
        depth += _STEPS.get(token.text, 0)
        if depth == 0 and token.text == "SELECT" and before.text not in _SET_OPERATORS:
            count += 1
        before = token
    begins_in_parentheses = statement[0].text == "("
    return max(1, count + begins_in_parentheses)


def _find_dirty_reads(tokens: Sequence[Token]) -> Iterator[str]:
    for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if token.text in _DIRTY_READS and before.text in ("(", ",") and after.text in (")", ","):
            yield (
                f"{token.text} may skip or repeat rows, even committed ones; remove it. Skipped "
                "changes are never sent."
            )
