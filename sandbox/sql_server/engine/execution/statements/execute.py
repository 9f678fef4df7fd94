"""EXEC: dynamic SQL and application locks; there are no user-defined procedures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlglot.tokenizer_core import TokenType

from sandbox.sql_server.engine.catalog.application_locks import INVALID, MODES, ApplicationLock
from sandbox.sql_server.engine.execution.statements.variables import read_declaration
from sandbox.sql_server.engine.parsing.dialect import syntax_error, tokenize
from sandbox.sql_server.engine.parsing.token_lists import keyword, split_at_commas
from sandbox.sql_server.engine.translation.functions.system_functions import lock_resource
from sandbox.sql_server.engine.values.literals import literal
from sandbox.sql_server.engine.values.sql_types import INT, NVARCHAR_MAX
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlglot.tokenizer_core import Token

    from sandbox.sql_server.engine.execution.batch import Batch, Handler
    from sandbox.sql_server.engine.parsing.statements import SimpleStatement
    from sandbox.sql_server.engine.values.typed_sql import TypedSql
    from sandbox.sql_server.results import Result


@dataclass(slots=True)
class _Arguments:
    """A procedure's arguments; `status` is its return value."""

    named: dict[str, TypedSql] = field(default_factory=dict)
    positional: list[TypedSql] = field(default_factory=list)
    status: int = 0

    def value(self, name: str, position: int, default: Any = None) -> Any:
        """An argument by name or position."""
        expr = self.named.get(name)
        if expr is None and position < len(self.positional):
            expr = self.positional[position]
        return default if expr is None else expr.constant


def _execute(batch: Batch, statement: SimpleStatement) -> Iterator[Result]:
    tokens = list(statement.tokens)
    if keyword(tokens[0]) in ("EXEC", "EXECUTE"):
        tokens = tokens[1:]
    if tokens and tokens[0].text == "(":
        sql = batch.evaluate(tokens[1:-1], NVARCHAR_MAX).constant
        yield from batch.nested(str(sql or ""), {})
        return
    result_variable = None
    if len(tokens) > 3 and tokens[0].token_type == TokenType.PARAMETER:
        result_variable, tokens = f"@{tokens[1].text}".lower(), tokens[3:]
    name, rest = _name(tokens)
    procedure = _PROCEDURES.get(name.lower())
    if procedure is None:
        raise SqlError(2812, f"Could not find stored procedure '{name}'.", state=62)
    arguments = _read_arguments(batch, rest)
    yield from procedure(batch, arguments)
    if result_variable is not None:
        target = batch.translator().context.variable(result_variable).type
        batch.variables[result_variable] = batch.constant(literal(arguments.status, INT), target)


def _name(tokens: Sequence[Token]) -> tuple[str, Sequence[Token]]:
    """The procedure's name without schema, and the remaining tokens."""
    if not tokens:
        raise syntax_error("EXEC")
    end = 1
    while end + 1 < len(tokens) and tokens[end].token_type == TokenType.DOT:
        end += 1 if tokens[end + 1].token_type == TokenType.DOT else 2
    return tokens[end - 1].text, tokens[end:]


def _read_arguments(batch: Batch, tokens: Sequence[Token]) -> _Arguments:
    arguments = _Arguments()
    for part in split_at_commas(tokens):
        if part and keyword(part[-1]) in ("OUTPUT", "OUT"):
            part.pop()
        if len(part) > 3 and part[0].token_type == TokenType.PARAMETER and part[2].text == "=":
            arguments.named[f"@{part[1].text}".lower()] = _argument(batch, part[3:])
        else:
            arguments.positional.append(_argument(batch, part))
    return arguments


def _argument(batch: Batch, tokens: Sequence[Token]) -> TypedSql:
    """An argument's value; a bare word is text, as in `@LockMode = Exclusive`."""
    if len(tokens) == 1 and tokens[0].token_type in (TokenType.VAR, TokenType.IDENTIFIER):
        return literal(tokens[0].text)
    return batch.evaluate(tokens)


def _execute_sql(batch: Batch, arguments: _Arguments) -> Iterator[Result]:
    """sp_executesql inside a batch."""
    sql = str(arguments.value("@stmt", 0, arguments.value("@statement", 0, "")))
    declared = str(arguments.value("@params", 1, "") or "")
    variables = {}
    for index, part in enumerate(split_at_commas(tokenize(declared)), start=2):
        name, sql_type, _ = read_declaration(part)
        value = arguments.value(name.lower(), index)
        variables[name.lower()] = batch.constant(literal(value), sql_type)
    yield from batch.nested(sql, variables)


def _get_lock(batch: Batch, arguments: _Arguments) -> Iterator[Result]:
    hold = _hold(batch, arguments, str(arguments.value("@lockmode", 1, "")))
    timeout = arguments.value("@locktimeout", 3, batch.state.lock_timeout_ms)
    if hold is None:
        arguments.status = INVALID
    else:
        seconds = None if timeout is None or timeout < 0 else timeout / 1000
        is_cancelled = batch.state.cancelled.is_set
        arguments.status = batch.state.instance.locks.acquire(hold, seconds, is_cancelled)
    yield from ()


def _release_lock(batch: Batch, arguments: _Arguments) -> Iterator[Result]:
    owner = str(arguments.value("@lockowner", 1, "Transaction")).lower()
    resource = _resource(batch, arguments)
    of_transaction = owner != "session"
    session = batch.state.session_id
    if not batch.state.instance.locks.release(resource, session, of_transaction=of_transaction):
        arguments.status = INVALID
        name = arguments.value("@resource", 0, "")
        message = (
            "Cannot release the application lock (Database Principal: 'public', Resource: "
            f"'{name}') because it is not currently held."
        )
        raise SqlError(1223, message)
    yield from ()


def _resource(batch: Batch, arguments: _Arguments) -> str:
    return lock_resource(batch.state.database.name, str(arguments.value("@resource", 0, "")))


def _hold(batch: Batch, arguments: _Arguments, mode: str) -> ApplicationLock | None:
    """The requested lock; None if the arguments are invalid."""
    owner = str(arguments.value("@lockowner", 2, "Transaction")).lower()
    is_of_transaction = owner != "session"
    if mode.lower() not in MODES or owner not in ("session", "transaction"):
        return None
    if is_of_transaction and not batch.state.transaction.depth:
        return None
    resource = _resource(batch, arguments)
    return ApplicationLock(resource, mode.lower(), batch.state.session_id, is_of_transaction)


_PROCEDURES: Mapping[str, Callable[[Batch, _Arguments], Iterator[Result]]] = {
    "sp_executesql": _execute_sql,
    "sp_getapplock": _get_lock,
    "sp_releaseapplock": _release_lock,
}

HANDLERS: Mapping[str, Handler] = {"EXEC": _execute, "EXECUTE": _execute}
