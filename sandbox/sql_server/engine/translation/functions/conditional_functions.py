"""Functions that choose a value: ISNULL, COALESCE, NULLIF, IIF."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sandbox.sql_server.engine.values.comparison import compare, same_type
from sandbox.sql_server.engine.values.conversions import convert
from sandbox.sql_server.engine.values.typed_sql import NOT_CONSTANT, TypedSql, native

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.sql_server.engine.translation.functions.function_call import Function, FunctionCall


def _is_null(call: FunctionCall) -> TypedSql:
    """ISNULL keeps the first argument's type; COALESCE takes the one of higher precedence."""
    call.check_count(2)
    first, second = call.argument(0), call.argument(1)
    if first.is_untyped_null:
        return second
    second = native(convert(second, first.type))
    sql = f"coalesce({first.sql}, {second.sql})"
    nullable = first.nullable and second.nullable
    return replace(
        first, sql=sql, nullable=nullable, constant=NOT_CONSTANT, is_identity=False, is_json=False
    )


def _coalesce(call: FunctionCall) -> TypedSql:
    call.check_count(2, 1000)
    exprs = same_type(call.arguments())
    sql = f"coalesce({', '.join(expr.sql for expr in exprs)})"
    return TypedSql(sql, exprs[0].type, all(expr.nullable for expr in exprs))


def _null_if(call: FunctionCall) -> TypedSql:
    call.check_count(2)
    first, second = call.argument(0), call.argument(1)
    sql = f"CASE WHEN {compare('=', first, second)} THEN NULL ELSE {first.sql} END"
    return TypedSql(sql, first.type)


def _choose_by_condition(call: FunctionCall) -> TypedSql:
    """IIF(condition, value, value)."""
    call.check_count(3)
    condition = call.translator.condition(call.nodes[0], call.scope)
    yes, no = same_type([call.argument(1), call.argument(2)])
    sql = f"CASE WHEN {condition} THEN {yes.sql} ELSE {no.sql} END"
    return TypedSql(sql, yes.type, yes.nullable or no.nullable)


FUNCTIONS: Mapping[str, Function] = {
    "ISNULL": _is_null,
    "COALESCE": _coalesce,
    "NULLIF": _null_if,
    "IIF": _choose_by_condition,
}
