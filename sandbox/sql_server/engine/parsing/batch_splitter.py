"""Splits a T-SQL batch into statements, which need no semicolons between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot.tokenizer_core import TokenType

from sandbox.sql_server.engine.parsing.dialect import syntax_error, tokenize, words
from sandbox.sql_server.engine.parsing.statements import (
    Block,
    IfStatement,
    SimpleStatement,
    Statement,
    TryCatch,
    WhileLoop,
)
from sandbox.sql_server.engine.parsing.token_lists import keyword

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot.tokenizer_core import Token


_STARTERS = words(
    "SELECT INSERT UPDATE DELETE MERGE WITH DECLARE SET IF WHILE BEGIN EXEC EXECUTE "
    "CREATE DROP ALTER TRUNCATE PRINT RAISERROR THROW WAITFOR USE COMMIT ROLLBACK SAVE "
    "RETURN BREAK CONTINUE GRANT DENY REVOKE KILL DBCC BULK CHECKPOINT OPEN CLOSE FETCH "
    "DEALLOCATE GOTO"
)
_QUERY_STARTERS = words("SELECT INSERT UPDATE DELETE MERGE")
_ENDERS = words("ELSE END")
_BEFORE_SELECT = frozenset(("UNION", "ALL", "EXCEPT", "INTERSECT", "AS", "UNION ALL"))
_TRANSACTION = words("TRAN TRANSACTION DISTRIBUTED")
_REST_OF_BATCH = words("VIEW PROCEDURE PROC FUNCTION TRIGGER")


def split_batch(sql: str) -> Block:
    """The statements of a batch.

    Raises:
        SqlError: 102, 105 or 156, syntax errors.
    """
    return _Splitter(tokenize(sql)).batch()


class _Splitter:
    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._position = 0

    def batch(self) -> Block:
        statements: list[Statement] = []
        while self._skip_semicolons():
            statements.append(self._statement(is_first=not statements))
        return Block(statements)

    def _word(self, ahead: int = 0) -> str:
        index = self._position + ahead
        return keyword(self._tokens[index]) if 0 <= index < len(self._tokens) else ""

    def _skip_semicolons(self) -> bool:
        """Move to the next statement; False at the end."""
        while self._word() == ";":
            self._position += 1
        return self._position < len(self._tokens)

    def _statement(self, *, is_first: bool = False) -> Statement:
        if not self._skip_semicolons():
            raise syntax_error(self._tokens[-1].text if self._tokens else "")
        match self._word():
            case "IF":
                return self._conditional()
            case "WHILE":
                self._position += 1
                return WhileLoop(self._condition(), self._statement())
            case "BEGIN" if self._word(1) == "TRY":
                return self._try_catch()
            case "BEGIN" if self._word(1) not in _TRANSACTION:
                return self._block("")
        return self._simple(is_first=is_first)

    def _conditional(self) -> IfStatement:
        self._position += 1
        condition, then = self._condition(), self._statement()
        before = self._position
        if self._skip_semicolons() and self._word() == "ELSE":
            self._position += 1
            return IfStatement(condition, then, self._statement())
        self._position = before
        return IfStatement(condition, then, None)

    def _condition(self) -> Sequence[Token]:
        start = self._position
        self._scan("CONDITION")
        return self._tokens[start : self._position]

    def _try_catch(self) -> TryCatch:
        body = self._block("TRY")
        self._skip_semicolons()
        if self._word() != "BEGIN" or self._word(1) != "CATCH":
            raise self._unexpected()
        return TryCatch(body, self._block("CATCH"))

    def _block(self, suffix: str) -> Block:
        """Parse BEGIN … END, each followed by `suffix`."""
        self._position += 2 if suffix else 1
        statements = []
        while self._skip_semicolons() and self._word() != "END":
            statements.append(self._statement())
        if self._word() != "END" or (suffix and self._word(1) != suffix):
            raise self._unexpected()
        self._position += 2 if suffix else 1
        return Block(statements)

    def _unexpected(self) -> Exception:
        index = min(self._position, len(self._tokens) - 1)
        return syntax_error(self._tokens[index].text, int(self._tokens[index].line))

    def _simple(self, *, is_first: bool) -> SimpleStatement:
        kind, start = self._word(), self._position
        if kind not in _STARTERS:
            if not is_first or kind in _ENDERS or not self._is_name():
                raise self._unexpected()
            kind = "EXEC"  # a batch may begin with a procedure's name
        self._position += 1
        self._scan(kind)
        return SimpleStatement(kind, self._tokens[start : self._position])

    def _is_name(self) -> bool:
        token = self._tokens[self._position]
        return token.token_type in (TokenType.VAR, TokenType.IDENTIFIER) or token.text.isalpha()

    def _scan(self, kind: str) -> None:
        """Move past the statement."""
        depth = cases = 0
        state = _Continuation(kind)
        while self._position < len(self._tokens):
            current = self._word()
            depth += {"(": 1, ")": -1}.get(current, 0)
            if depth == 0 and cases == 0 and (current == ";" or current in _ENDERS):
                return
            if depth == 0 and cases == 0 and current in _STARTERS and self._starts(current, state):
                return
            cases += {"CASE": 1, "END": -1}.get(current, 0) if depth == 0 or cases else 0
            self._position += 1

    def _starts(self, current: str, state: _Continuation) -> bool:
        """Whether this keyword begins a new statement here."""
        before, after = self._word(-1), self._word(1)
        if before == "." or (before == "AS" and current != "BEGIN"):
            return False
        if before == "ON" and current in ("DELETE", "UPDATE"):
            return False
        if current == "WITH":
            return self._word(2) in ("AS", "(") and after not in ("(", "TIES")
        if current == "IF" and after == "EXISTS" and state.kind in ("DROP", "ALTER"):
            return False
        if current == "FETCH" and before in ("ROW", "ROWS"):
            return False
        if current == "SELECT" and before in _BEFORE_SELECT:
            return False
        if current == "SET" and before in ("DELETE", "UPDATE"):
            return False
        return not state.takes(current, self._word(-1))


class _Continuation:
    """Decides which statement keywords continue a statement instead of beginning a new one."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._has_query = False
        self._has_set = False

    def takes(self, current: str, before: str) -> bool:
        """Whether the keyword continues the statement."""
        match self.kind:
            case "GRANT" | "DENY" | "REVOKE":
                return before in (self.kind, ",")
            case "ALTER":
                return current in ("DROP", "ALTER", "SET", "WITH", "CHECKPOINT")
            case "CREATE":
                self._has_query |= before in _REST_OF_BATCH
                return before in _REST_OF_BATCH
            case "INSERT" if current in ("SELECT", "EXEC", "EXECUTE", "WITH"):
                return self._once()
            case "WITH" if current in _QUERY_STARTERS and not self._has_query:
                self.kind = current
                return self._once() if current != "INSERT" else True
            case "UPDATE" | "MERGE" if current == "SET" and not self._has_set:
                self._has_set = True
                return True
            case "MERGE":
                return before in ("THEN",)
        return False

    def _once(self) -> bool:
        is_first, self._has_query = not self._has_query, True
        return is_first
