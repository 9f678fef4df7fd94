"""Statements that touch no rows: variables, settings, messages, transactions, waiting, jumps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlglot.tokenizer_core import TokenType

from sandbox.sql_server.engine.execution.batch import Break, Continue, Return
from sandbox.sql_server.engine.execution.duckdb_errors import DEADLOCK
from sandbox.sql_server.engine.execution.session_state import cancelled_error
from sandbox.sql_server.engine.parsing.dialect import syntax_error
from sandbox.sql_server.engine.parsing.token_lists import keyword, split_at_commas
from sandbox.sql_server.engine.values.literals import literal, parse_datetime
from sandbox.sql_server.engine.values.sql_types import NVARCHAR_MAX, declared_type
from sandbox.sql_server.engine.values.surrogates import decode_surrogates
from sandbox.sql_server.results import Message, RowCount, SqlError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlglot.tokenizer_core import Token

    from sandbox.sql_server.engine.execution.batch import Batch, Handler
    from sandbox.sql_server.engine.parsing.statements import SimpleStatement
    from sandbox.sql_server.results import Result, SqlType

_USER_ERROR, _DEADLOCK = 50000, 1205
_LEAST_THROWN = 50000
_TICKS_PER_SECOND = 10_000_000
_TICKS_PER_DAY = 86_400 * _TICKS_PER_SECOND
_PLACEHOLDER = re.compile(r"%(?:[-+0 #]*)(?:\d+)?([sdiuxXo%])")


def read_declaration(tokens: Sequence[Token]) -> tuple[str, SqlType, Sequence[Token]]:
    """`@name [AS] type [= value]`: the name, the type, the value's tokens.

    Raises:
        SqlError: it is written otherwise, or there is no such type.
    """
    if len(tokens) < 3 or tokens[0].token_type != TokenType.PARAMETER:
        raise syntax_error(tokens[0].text if tokens else "DECLARE")
    name, rest = f"@{tokens[1].text}", list(tokens[2:])
    if keyword(rest[0]) == "AS":
        rest = rest[1:]
    type_name, rest = rest[0].text, rest[1:]
    sizes = []
    if rest and rest[0].text == "(":
        end = next((i for i, token in enumerate(rest) if token.text == ")"), len(rest))
        sizes = [part[0].text for part in split_at_commas(rest[1:end])]
        rest = rest[end + 1 :]
    is_valued = bool(rest) and rest[0].token_type == TokenType.EQ
    if rest and not is_valued and keyword(rest[0]) not in ("OUTPUT", "OUT"):
        raise syntax_error(rest[0].text)
    return name, declared_type(type_name, sizes), rest[1:] if is_valued else ()


def _declare(batch: Batch, statement: SimpleStatement) -> Iterator[Result]:
    for part in split_at_commas(statement.tokens[1:]) or [[]]:
        name, sql_type, value = read_declaration(part)
        if name.lower() in batch.variables:
            message = (
                f"The variable name '{name}' has already been declared. Variable names must be "
                "unique within a query batch or stored procedure."
            )
            raise SqlError(134, message, severity=15)
        expr = batch.evaluate(value, sql_type) if value else literal(None, sql_type)
        batch.variables[name.lower()] = expr
    yield from ()


def _set(batch: Batch, statement: SimpleStatement) -> Iterator[Result]:
    tokens = statement.tokens[1:]
    if not tokens:
        raise syntax_error("SET")
    if tokens[0].token_type == TokenType.PARAMETER:
        _set_variable(batch, tokens)
    else:
        _set_option(batch, [token.text for token in tokens])
    yield from ()


def _set_variable(batch: Batch, tokens: Sequence[Token]) -> None:
    name = f"@{tokens[1].text}".lower()
    target = batch.translator().context.variable(name).type
    equals = next((i for i, t in enumerate(tokens) if t.token_type == TokenType.EQ), 0)
    if equals not in (2, 3):
        raise syntax_error(tokens[-1].text)
    value = list(tokens[equals + 1 :])
    if equals == 3:  # SET @x += value
        value = [*tokens[:2], tokens[2], *value]
    batch.variables[name] = batch.evaluate(value, target)


def _set_option(batch: Batch, texts: Sequence[str]) -> None:
    """Options that change what the sandbox does; it takes all others silently."""
    state, is_on = batch.state, texts[-1].upper() == "ON"
    match texts[0].upper():
        case "NOCOUNT":
            state.counts_rows = not is_on
        case "IMPLICIT_TRANSACTIONS":
            state.has_implicit_transactions = is_on
        case "LOCK_TIMEOUT":
            state.lock_timeout_ms = int("".join(texts[1:]))
        case "IDENTITY_INSERT":
            state.explicit_identity = texts[-2].lower() if is_on else ""


def _use(batch: Batch, statement: SimpleStatement) -> Iterator[Result]:
    name = statement.tokens[1].text if len(statement.tokens) > 1 else ""
    batch.state.use(name)
    yield RowCount()


def _text_of(batch: Batch, tokens: Sequence[Token]) -> str:
    value = batch.evaluate(tokens, NVARCHAR_MAX).constant
    return decode_surrogates(str(value)) if value is not None else ""


def _print(batch: Batch, statement: SimpleStatement) -> Iterator[Result]:
    yield Message(0, _text_of(batch, statement.tokens[1:]))


def _raise_error(batch: Batch, statement: SimpleStatement) -> Iterator[Result]:
    """RAISERROR; as an exception to SQL Server, 1205 may be raised too, to try deadlocks out."""
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
    """The text with its placeholders filled in, as printf does it."""
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


def _nothing(_: Batch, __: SimpleStatement) -> Iterator[Result]:
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
    "DECLARE": _declare,
    "SET": _set,
    "USE": _use,
    "PRINT": _print,
    "RAISERROR": _raise_error,
    "THROW": _throw,
    "WAITFOR": _wait,
    "BEGIN": _begin,
    "COMMIT": _commit,
    "ROLLBACK": _rollback,
    **dict.fromkeys(("SAVE", "CHECKPOINT", "DBCC"), _nothing),
    "BREAK": _break,
    "CONTINUE": _continue,
    "RETURN": _return,
}
