"""Decides whether a query is exactly one SELECT that writes nothing. Pure.

Text of a user reaches a server only as a `SelectQuery`, which exists only if the text was checked.

It looks at words rather than at a syntax tree. SQL Server's reserved words cannot be names unless
they are quoted, so a word that begins a writing statement does so wherever it stands. Another
parser would read `SELECT 1 DELETE FROM t` as a column called DELETE; it is only asked whether it
can parse the query at all.
Source of the words: "Reserved Keywords (Transact-SQL)".
"""

from __future__ import annotations

import itertools
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from program_kit.findings import Finding, Level
from tap_mssql_query.errors import QueryFailed
from tap_mssql_query.sql.meltano_expansion import find_lost_variable
from tap_mssql_query.sql.tokenizer import Token, TokenKind, tokenize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WORDS = """
    ALTER BACKUP BEGIN BREAK CHECKPOINT CLOSE COMMIT CONTINUE CREATE DBCC DEALLOCATE DECLARE DELETE
    DENY DISK DROP DUMP EXEC EXECUTE GOTO GRANT IF INSERT INTO KILL LOAD MERGE OPEN OPENDATASOURCE
    OPENQUERY OPENROWSET PRINT RAISERROR READTEXT RECONFIGURE RESTORE RETURN REVERT REVOKE ROLLBACK
    SAVE SET SETUSER SHUTDOWN TRIGGER TRUNCATE UPDATE UPDATETEXT USE WAITFOR WHILE WRITETEXT
    SP_EXECUTESQL XP_CMDSHELL
"""
_FORBIDDEN = frozenset(_WORDS.split())
_HINTS = frozenset({"MERGE JOIN", "MERGE UNION", "USE HINT", "USE PLAN"})
"""Hints of a SELECT that contain a forbidden word."""

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
    """Why the rendered query may write or is not one SELECT, a sentence each; empty if it is."""
    # SQL Server may or may not end a comment at a lone CR or at U+2028: check both readings.
    readings = dict.fromkeys((sql, "\n".join(sql.splitlines())))
    found = (violation for reading in readings for violation in _violations_of(reading))
    return list(dict.fromkeys(found))


def is_parsable(sql: str) -> bool:
    """Whether sqlglot reads the query as one SELECT."""
    from tap_mssql_query.sql.syntax_tree import parse_select  # noqa: PLC0415 - loads sqlglot, 0.1 s

    return parse_select(sql) is not None


def _violations_of(sql: str) -> Iterator[str]:
    tokens = list(tokenize(sql))
    yield from _control_characters(sql)
    if not _is_balanced(tokens):
        yield "Its parentheses do not match."
    yield from _statement_violations(tokens)
    yield from _word_violations(tokens)


def _control_characters(sql: str) -> Iterator[str]:
    """It is not documented how SQL Server reads a NUL between two letters."""
    if any(unicodedata.category(c) == "Cc" and not c.isspace() for c in sql):
        yield "It contains control characters; remove them."


def _statement_violations(tokens: Sequence[Token]) -> Iterator[str]:
    """Whether there is exactly one statement, and whether it is a SELECT."""
    statements = [
        list(group) for is_end, group in itertools.groupby(tokens, _END.__eq__) if not is_end
    ]
    if not statements:
        yield "It contains no statement."
        return
    count = sum(_count_selects(statement) for statement in statements)
    if count > 1:
        yield f"It contains {count} statements; a sync is one SELECT."
    first = statements[0][0]
    if first.text not in ("SELECT", "WITH", "("):
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


def _word_violations(tokens: Sequence[Token]) -> Iterator[str]:
    words = dict.fromkeys(
        word
        for token, following in itertools.pairwise([*tokens, _END])
        if f"{token.text} {following.text}" not in _HINTS and (word := _forbidden_word(token))
    )
    if words:
        yield f"It contains {', '.join(words)}: not part of a SELECT. Write names as [name]."
    text = " ".join(token.text for token in tokens)
    if "{ CALL" in text:
        yield "It calls a procedure."
    if "NEXT VALUE FOR" in text:
        yield "It takes a number from a sequence, which writes."


def _forbidden_word(token: Token) -> str | None:
    if token.kind is TokenKind.WORD and token.text in _FORBIDDEN:
        return token.text
    if token.kind is TokenKind.NUMBER:
        return next((word for word in sorted(_FORBIDDEN) if token.text.endswith(word)), None)
    return None


def _find_dirty_reads(tokens: Sequence[Token]) -> Iterator[str]:
    for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if token.text in _DIRTY_READS and before.text in ("(", ",") and after.text in (")", ","):
            yield (
                f"{token.text} may skip or repeat rows, even committed ones; remove it. Skipped "
                "changes are never sent."
            )
