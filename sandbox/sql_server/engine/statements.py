"""All statements by their first word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.sql_server.engine import (
    commands,
    object_statements,
    procedure_calls,
    row_statements,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.sql_server.engine.batch import Handler

HANDLERS: Mapping[str, Handler] = {
    **commands.HANDLERS,
    **object_statements.HANDLERS,
    **procedure_calls.HANDLERS,
    **row_statements.HANDLERS,
}
