"""All statements by their first word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.sql_server.engine.execution.statements import (
    commands,
    execute,
    objects,
    rows,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.sql_server.engine.execution.batch import Handler

HANDLERS: Mapping[str, Handler] = {
    **commands.HANDLERS,
    **objects.HANDLERS,
    **execute.HANDLERS,
    **rows.HANDLERS,
}
