"""JSON_QUERY, JSON_VALUE and ISJSON."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sandbox.sql_server.engine.translation.functions.function_call import max_text
from sandbox.sql_server.engine.values.sql_types import (
    INT,
    NVARCHAR_MAX,
)
from sandbox.sql_server.engine.values.typed_sql import NOT_CONSTANT, TypedSql
from sandbox.sql_server.results import SqlType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.sql_server.engine.translation.functions.function_call import Function, FunctionCall


def _json_query(call: FunctionCall) -> TypedSql:
    text = max_text(call.text(0))
    if len(call.nodes) > 1:
        path = call.text(1).sql
        found = f"json_extract({text.sql}, {path})"
        is_value = f"json_type({found}) NOT IN ('OBJECT', 'ARRAY')"
        text = TypedSql(
            f"CASE WHEN {is_value} THEN NULL ELSE CAST({found} AS VARCHAR) END", text.type
        )
    return replace(text, type=NVARCHAR_MAX, is_json=True, constant=NOT_CONSTANT)


def _json_value(call: FunctionCall) -> TypedSql:
    call.check_count(2)
    found = f"json_extract_string({call.text(0).sql}, {call.text(1).sql})"
    return TypedSql(found, SqlType("nvarchar", 4000))


def _is_json(call: FunctionCall) -> TypedSql:
    text = call.text(0)
    return TypedSql(f"CAST(json_valid({text.sql}) AS INTEGER)", INT, text.nullable)


FUNCTIONS: Mapping[str, Function] = {
    "JSON_QUERY": _json_query,
    "JSON_VALUE": _json_value,
    "ISJSON": _is_json,
}
