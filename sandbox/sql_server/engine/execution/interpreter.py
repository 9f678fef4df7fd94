"""Runs a batch: statements in order, IF, WHILE, TRY, and error handling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.sql_server.engine.execution.batch import Batch, Break, Continue, Return
from sandbox.sql_server.engine.execution.duckdb_errors import CONTINUING
from sandbox.sql_server.engine.execution.session_state import cancelled_error
from sandbox.sql_server.engine.execution.statements.handlers import HANDLERS
from sandbox.sql_server.engine.parsing.batch_splitter import split_batch
from sandbox.sql_server.engine.parsing.dialect import (
    syntax_error,
    words,
)
from sandbox.sql_server.engine.parsing.statements import (
    Block,
    IfStatement,
    SimpleStatement,
    TryCatch,
    WhileLoop,
    simple_statements,
)
from sandbox.sql_server.results import ResultSet, SqlError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sandbox.sql_server.engine.execution.session_state import SessionState
    from sandbox.sql_server.engine.parsing.statements import Statement
    from sandbox.sql_server.engine.values.typed_sql import TypedSql
    from sandbox.sql_server.results import Result

PARSED_KINDS = words("SELECT INSERT UPDATE DELETE MERGE WITH CREATE DROP ALTER TRUNCATE")
_IMPLICIT = words("SELECT INSERT UPDATE DELETE MERGE WITH")


def execute_batch(
    state: SessionState, sql: str, variables: dict[str, TypedSql], try_depth: int = 0
) -> Iterator[Result]:
    """Run a batch; results are produced as they are consumed.

    Raises:
        SqlError: an error that ends the batch.
    """
    batch = Batch(state, sql, variables, execute_batch, try_depth)
    yield from _Interpreter(state, batch).results()


@dataclass(frozen=True, slots=True)
class _Interpreter:
    state: SessionState
    batch: Batch

    def results(self) -> Iterator[Result]:
        block = split_batch(self.batch.sql)
        self._parse(block)
        try:
            yield from self._statement(block)
        except Return:
            return

    def _parse(self, statement: Statement) -> None:
        """Parse all statements before the first runs, as SQL Server does."""
        for simple in simple_statements(statement):
            if simple.kind in PARSED_KINDS:
                self.batch.prepare(simple)

    def _statement(self, statement: Statement) -> Iterator[Result]:
        match statement:
            case Block():
                for inner in statement.statements:
                    yield from self._statement(inner)
            case IfStatement():
                chosen = (
                    statement.then
                    if self.batch.is_true(statement.condition)
                    else statement.otherwise
                )
                if chosen is not None:
                    yield from self._statement(chosen)
            case WhileLoop():
                yield from self._loop(statement)
            case TryCatch():
                yield from self._try_catch(statement)
            case SimpleStatement():
                yield from self._simple(statement)

    def _loop(self, loop: WhileLoop) -> Iterator[Result]:
        while self.batch.is_true(loop.condition):
            if self.state.cancelled.is_set():
                raise cancelled_error()
            try:
                yield from self._statement(loop.body)
            except Continue:
                continue
            except Break:
                return

    def _try_catch(self, attempt: TryCatch) -> Iterator[Result]:
        self.batch.try_depth += 1
        try:
            for result in self._statement(attempt.body):
                yield _taken(result)
        except SqlError as problem:
            self.batch.try_depth -= 1
            before, self.state.caught_error = self.state.caught_error, problem
            try:
                yield from self._statement(attempt.handler)
            finally:
                self.state.caught_error = before
        else:
            self.batch.try_depth -= 1

    def _simple(self, statement: SimpleStatement) -> Iterator[Result]:
        self._begin_implicitly(statement)
        try:
            yield from self._checked(statement)
            if statement.kind not in ("RAISERROR",):
                self.state.error = 0
        except SqlError as problem:
            self.state.error = problem.number
            if problem.line == 1:
                problem.line = statement.line
            if self.batch.try_depth or problem.number not in CONTINUING:
                raise
            yield problem

    def _begin_implicitly(self, statement: SimpleStatement) -> None:
        is_outside = self.state.has_implicit_transactions and not self.state.transaction.depth
        if is_outside and statement.kind in _IMPLICIT:
            self.state.transaction.begin()

    def _checked(self, statement: SimpleStatement) -> Iterator[Result]:
        """The statement's results; rows left unread are discarded before the next result."""
        handler = HANDLERS.get(statement.kind)
        if handler is None:
            raise syntax_error(statement.tokens[0].text)
        for result in handler(self.batch, statement):
            if isinstance(result, SqlError) and self.batch.try_depth:
                raise result
            yield result
            if isinstance(result, ResultSet):
                _close(result.rows)


def _taken(result: Result) -> Result:
    """Fetch rows at once inside TRY, so that CATCH sees their errors."""
    if not isinstance(result, ResultSet):
        return result
    return ResultSet(result.columns, iter(list(result.rows)))


def _close(rows: Iterator[Any]) -> None:
    close = getattr(rows, "close", None)
    if close is not None:
        close()
