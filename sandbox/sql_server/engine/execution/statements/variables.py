"""DECLARE, SET and USE: variables, options and the current database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot.tokenizer_core import TokenType

from sandbox.sql_server.engine.parsing.dialect import syntax_error
from sandbox.sql_server.engine.parsing.token_lists import keyword, split_at_commas
from sandbox.sql_server.engine.values.literals import literal
from sandbox.sql_server.engine.values.sql_types import declared_type
from sandbox.sql_server.results import RowCount, SqlError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlglot.tokenizer_core import Token

    from sandbox.sql_server.engine.execution.batch import Batch, Handler
    from sandbox.sql_server.engine.parsing.statements import SimpleStatement
    from sandbox.sql_server.results import Result, SqlType


def read_declaration(tokens: Sequence[Token]) -> tuple[str, SqlType, Sequence[Token]]:
    """Parse `@name [AS] type [= value]` to the name, the type and the value's tokens.

    Raises:
        SqlError: syntax error or unknown type.
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
    """Set an option; options that do not affect the sandbox are ignored."""
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


HANDLERS: Mapping[str, Handler] = {
    "DECLARE": _declare,
    "SET": _set,
    "USE": _use,
}
