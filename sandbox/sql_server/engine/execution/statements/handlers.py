"""The handlers of all statements, by first keyword."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.sql_server.engine.execution.statements import (
    control_flow,
    execute,
    grants,
    messages,
    objects,
    rows,
    variables,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.sql_server.engine.execution.batch import Handler

HANDLERS: Mapping[str, Handler] = {
    **control_flow.HANDLERS,
    **messages.HANDLERS,
    **variables.HANDLERS,
    **grants.HANDLERS,
    **objects.HANDLERS,
    **execute.HANDLERS,
    **rows.HANDLERS,
}
