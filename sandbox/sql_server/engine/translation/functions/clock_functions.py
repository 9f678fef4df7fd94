"""Functions that return the current time: one time for a whole statement, in UTC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.sql_server.engine.values.conversions import convert
from sandbox.sql_server.engine.values.literals import literal
from sandbox.sql_server.engine.values.sql_types import DATETIME
from sandbox.sql_server.engine.values.typed_sql import TypedSql
from sandbox.sql_server.results import SqlType

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sandbox.sql_server.engine.translation.functions.function_call import Function, FunctionCall


def _utc_now(call: FunctionCall) -> datetime:
    return call.context.now.replace(tzinfo=None)


def _old_clock(call: FunctionCall) -> TypedSql:
    """GETDATE and GETUTCDATE: datetime."""
    now = literal(_utc_now(call), SqlType("datetime2", scale=6))
    return convert(TypedSql(now.sql, now.type, nullable=False), DATETIME)


def _clock(call: FunctionCall) -> TypedSql:
    """SYSDATETIME and SYSUTCDATETIME; the server's time zone is UTC."""
    return literal(_utc_now(call), SqlType("datetime2", scale=7))


def _clock_with_offset(call: FunctionCall) -> TypedSql:
    return literal(call.context.now, SqlType("datetimeoffset", scale=7))


FUNCTIONS: Mapping[str, Function] = {
    **dict.fromkeys(("GETDATE", "GETUTCDATE", "NOW"), _old_clock),
    **dict.fromkeys(("SYSDATETIME", "SYSUTCDATETIME"), _clock),
    "SYSDATETIMEOFFSET": _clock_with_offset,
}
