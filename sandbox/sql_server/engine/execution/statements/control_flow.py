"""Transactions, WAITFOR, BREAK, CONTINUE and RETURN."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.sql_server.engine.execution.batch import Break, Continue, Return
from sandbox.sql_server.engine.execution.session_state import cancelled_error
from sandbox.sql_server.engine.parsing.dialect import syntax_error
from sandbox.sql_server.engine.parsing.token_lists import keyword
from sandbox.sql_server.engine.values.literals import parse_datetime
from sandbox.sql_server.engine.values.sql_types import NVARCHAR_MAX
from sandbox.sql_server.results import RowCount, SqlError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.sql_server.engine.execution.batch import Batch, Handler
    from sandbox.sql_server.engine.parsing.statements import SimpleStatement
    from sandbox.sql_server.results import Result

_TICKS_PER_SECOND = 10_000_000
_TICKS_PER_DAY = 86_400 * _TICKS_PER_SECOND


def _wait(batch: Batch, statement: SimpleStatement) -> Iterator[Result]:
    if len(statement.tokens) < 3 or keyword(statement.tokens[1]) != "DELAY":
        raise syntax_error(statement.tokens[-1].text)
    delay = batch.evaluate(statement.tokens[2:], NVARCHAR_MAX).constant
    parsed = parse_datetime(str(delay))
    if parsed is None:
        raise SqlError(148, f"Incorrect time syntax in time string '{delay}' used with WAITFOR.")
    if batch.state.cancelled.wait(parsed[0] % _TICKS_PER_DAY / _TICKS_PER_SECOND):
        raise cancelled_error()
    yield RowCount()


def _begin(batch: Batch, _: SimpleStatement) -> Iterator[Result]:
    batch.state.transaction.begin()
    yield RowCount()


def _commit(batch: Batch, _: SimpleStatement) -> Iterator[Result]:
    batch.state.commit()
    yield RowCount()


def _rollback(batch: Batch, _: SimpleStatement) -> Iterator[Result]:
    batch.state.rollback()
    yield RowCount()


def _break(_: Batch, __: SimpleStatement) -> Iterator[Result]:
    raise Break
    yield RowCount()


def _continue(_: Batch, __: SimpleStatement) -> Iterator[Result]:
    raise Continue
    yield RowCount()


def _return(_: Batch, __: SimpleStatement) -> Iterator[Result]:
    raise Return
    yield RowCount()


HANDLERS: Mapping[str, Handler] = {
    "WAITFOR": _wait,
    "BEGIN": _begin,
    "COMMIT": _commit,
    "ROLLBACK": _rollback,
    "BREAK": _break,
    "CONTINUE": _continue,
    "RETURN": _return,
}
