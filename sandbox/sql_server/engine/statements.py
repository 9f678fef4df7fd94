"""All statements by their first word."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from sandbox.sql_server.engine import (
    commands,
    object_statements,
    procedure_calls,
    row_statements,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sandbox.sql_server.engine.interpreter import Run
    from sandbox.sql_server.engine.parsing.statements import Simple
    from sandbox.sql_server.results import Result

Handler: TypeAlias = "Callable[[Run, Simple], Iterator[Result]]"

HANDLERS: Mapping[str, Handler] = {
    **commands.HANDLERS,
    **object_statements.HANDLERS,
    **procedure_calls.HANDLERS,
    **row_statements.HANDLERS,
}
