"""PRINT, RAISERROR and THROW."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sandbox.sql_server.engine.execution.duckdb_errors import DEADLOCK
from sandbox.sql_server.engine.parsing.dialect import syntax_error
from sandbox.sql_server.engine.parsing.token_lists import split_at_commas
from sandbox.sql_server.engine.values.sql_types import NVARCHAR_MAX
from sandbox.sql_server.engine.values.surrogates import decode_surrogates
from sandbox.sql_server.results import Message, RowCount, SqlError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlglot.tokenizer_core import Token

    from sandbox.sql_server.engine.execution.batch import Batch, Handler
    from sandbox.sql_server.engine.parsing.statements import SimpleStatement
    from sandbox.sql_server.results import Result

_USER_ERROR, _DEADLOCK = 50000, 1205
_LEAST_THROWN = 50000
_PLACEHOLDER = re.compile(r"%(?:[-+0 #]*)(?:\d+)?([sdiuxXo%])")


def _text_of(batch: Batch, tokens: Sequence[Token]) -> str:
    value = batch.evaluate(tokens, NVARCHAR_MAX).constant
    return decode_surrogates(str(value)) if value is not None else ""


def _print(batch: Batch, statement: SimpleStatement) -> Iterator[Result]:
    yield Message(0, _text_of(batch, statement.tokens[1:]))


def _raise_error(batch: Batch, statement: SimpleStatement) -> Iterator[Result]:
    """RAISERROR; unlike in SQL Server, 1205 can be raised too, to test deadlock handling."""
    tokens = list(statement.tokens[1:])
    end = max((i for i, token in enumerate(tokens) if token.text == ")"), default=0)
    if not tokens or tokens[0].text != "(" or end == 0:
        raise syntax_error(tokens[0].text if tokens else "RAISERROR")
    parts = split_at_commas(tokens[1:end])
    if len(parts) < 3:
        raise syntax_error(")")
    text, severity, state, *values = (batch.evaluate(part).constant for part in parts)
    number = text if isinstance(text, int) else _USER_ERROR
    if number == _DEADLOCK:
        raise SqlError(_DEADLOCK, DEADLOCK.format(batch.state.session_id), state=51, severity=13)
    message = decode_surrogates(_formatted(str(text or ""), values))
    batch.state.error = number
    if severity <= 10:
        yield Message(number, message, state=state, severity=severity)
        batch.state.error = 0
        return
    yield SqlError(number, message, state=max(state, 0), severity=severity, line=statement.line)


def _formatted(text: str, values: Sequence[Any]) -> str:
    """Fill in the text's placeholders, as printf does."""
    rest = iter(values)

    def fill(match: re.Match[str]) -> str:
        if match[1] == "%":
            return "%"
        value = next(rest, None)
        form = match[0].replace("i", "d").replace("u", "d")
        return "(null)" if value is None else form % value

    return _PLACEHOLDER.sub(fill, text)


def _throw(batch: Batch, statement: SimpleStatement) -> Iterator[Result]:
    parts = split_at_commas(statement.tokens[1:])
    if not parts:
        if batch.state.caught_error is None:
            message = (
                "To rethrow an error, a THROW statement must be used inside a CATCH block. Insert "
                "the THROW statement inside a CATCH block, or add error parameters to the THROW "
                "statement."
            )
            raise SqlError(10704, message, severity=15)
        raise batch.state.caught_error
    if len(parts) != 3:
        raise syntax_error(statement.tokens[-1].text)
    number, text, state = (batch.evaluate(part).constant for part in parts)
    if number < _LEAST_THROWN:
        message = (
            f"Error number {number} in the THROW statement is outside the valid range. Specify an "
            "error number in the valid range of 50000 to 2147483647."
        )
        raise SqlError(35100, message)
    raise SqlError(number, decode_surrogates(str(text)), state=state, line=statement.line)
    yield RowCount()


HANDLERS: Mapping[str, Handler] = {
    "PRINT": _print,
    "RAISERROR": _raise_error,
    "THROW": _throw,
}
