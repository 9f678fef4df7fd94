"""Words that are not part of a SELECT, and what to write instead. Pure.

SQL Server's reserved words cannot be names unless they are quoted, so a word that begins another
statement does so wherever it stands. Source: "Reserved Keywords (Transact-SQL)".
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from tap_mssql_query.sql.tokenizer import Token, TokenKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SECTION = 'See "Queries that need more than a SELECT" in docs/operations.md.'


class _Group(NamedTuple):
    """Words, and what to write instead of them."""

    words: frozenset[str]
    remedy: str


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_GROUPS = (
    _Group(
        _words("EXEC EXECUTE"),
        "A procedure cannot be called: put its SELECT into a view or an inline table-valued "
        "function.",
    ),
    _Group(
        _words("DECLARE"),
        "Instead of a variable write a CTE or a subquery, and for times {{last_sync_time}} and the "
        "other variables of the tap.",
    ),
    _Group(
        _words("SET"),
        "Leave options such as SET NOCOUNT ON out, they are not needed; instead of a variable "
        "write a CTE or a subquery.",
    ),
    _Group(
        _words("INTO"),
        "Instead of a temporary table write a CTE, a subquery or a view.",
    ),
    _Group(
        _words("USE"),
        "Set the `database` of the sync instead, or write the table as database.schema.table.",
    ),
    _Group(
        _words("BEGIN BREAK CONTINUE GOTO IF PRINT RAISERROR RETURN WAITFOR WHILE"),
        "Write conditions with CASE or WHERE, or put the statements into a table-valued function.",
    ),
    _Group(
        _words(
            """ALTER BACKUP CHECKPOINT CLOSE COMMIT CREATE DBCC DEALLOCATE DELETE DENY DISK DROP
            DUMP GRANT INSERT KILL LOAD MERGE OPEN READTEXT RECONFIGURE RESTORE REVERT REVOKE
            ROLLBACK SAVE SETUSER SHUTDOWN TRIGGER TRUNCATE UPDATE UPDATETEXT WRITETEXT"""
        ),
        "A sync only reads: let a job of the database do the rest.",
    ),
)
_REMEDIES = {word: group.remedy for group in _GROUPS for word in group.words}
_HINTS = frozenset({"MERGE JOIN", "MERGE UNION", "USE HINT", "USE PLAN"})
"""Hints of a SELECT that contain a forbidden word."""
_SETS_COLUMNS = frozenset({"UPDATE", "MERGE"})
_NOT_BEFORE_GO = frozenset({",", ".", "(", "AS", "BY", "SELECT"})
_END = Token(TokenKind.SYMBOL, ";")


def find_forbidden_words(sql: str, tokens: Sequence[Token]) -> Iterator[str]:
    """What is not part of a SELECT, with what to write instead."""
    pairs = [*itertools.pairwise([*tokens, _END])]
    words = dict.fromkeys(
        token.text
        for token, following in pairs
        if token.kind is TokenKind.WORD
        and token.text in _REMEDIES
        and f"{token.text} {following.text}" not in _HINTS
    )
    if words:
        yield (
            f"It contains {', '.join(words)}: not part of a SELECT. Write names as [name]. "
            f"{' '.join(_remedies_of(words))}"
        )
    if any(before.text == "{" and after.text in ("CALL", "?") for before, after in pairs):
        yield f"It calls a procedure. {_REMEDIES['EXEC']}"
    if "NEXT VALUE FOR" in " ".join(token.text for token in tokens):
        yield "It takes a number from a sequence, which writes: use ROW_NUMBER() OVER (…) instead."
    if _has_go(sql, tokens):
        yield (
            "It contains GO, a command of sqlcmd and Management Studio, which the server does not "
            "know: remove it."
        )


def _remedies_of(words: Iterable[str]) -> Iterable[str]:
    words = set(words)
    if words & _SETS_COLUMNS:
        words.discard("SET")
    return [group.remedy for group in _GROUPS if group.words & words]


def _has_go(sql: str, tokens: Sequence[Token]) -> bool:
    """Whether GO stands alone on a line, where it is no name."""
    lines_before = (sql[: token.start].rpartition("\n")[2] for token in tokens)
    befores = [_END, *tokens]
    for token, line_before, before in zip(tokens, lines_before, befores, strict=False):
        if token.text == "GO" and not line_before.strip() and before.text not in _NOT_BEFORE_GO:
            rest = sql[token.end :].partition("\n")[0].partition("--")[0].strip(" \t\r;")
            if not rest or rest.isdigit():
                return True
    return False
