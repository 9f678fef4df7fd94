"""Functions on numbers, and NEWID."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.sql_server.engine.values.conversions import convert
from sandbox.sql_server.engine.values.sql_types import (
    FLOAT,
    INT,
    decimal_type,
    digits,
    storage_type,
)
from sandbox.sql_server.engine.values.typed_sql import TypedSql
from sandbox.sql_server.results import SqlType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.sql_server.engine.translation.functions.function_call import Function, FunctionCall


def _number(call: FunctionCall, index: int = 0) -> TypedSql:
    expr = call.argument(index)
    return expr if expr.family in ("integer", "decimal", "float") else convert(expr, FLOAT)


def _result_type(expr: TypedSql) -> SqlType:
    """The result type of SQL Server's functions, which widen small types."""
    grown = {"tinyint": INT, "smallint": INT, "smallmoney": SqlType("money"), "real": FLOAT}
    return grown.get(expr.type.name, expr.type)


def _cast(sql: str, sql_type: SqlType, nullable: bool) -> TypedSql:
    return TypedSql(f"CAST({sql} AS {storage_type(sql_type)})", sql_type, nullable)


def _absolute(call: FunctionCall) -> TypedSql:
    call.check_count(1)
    expr = _number(call)
    return _cast(f"abs({expr.sql})", _result_type(expr), expr.nullable)


def _round(call: FunctionCall) -> TypedSql:
    call.check_count(2, 3)
    expr, places = _number(call), call.number(1)
    function = "round"
    if len(call.nodes) > 2 and call.number(2).constant != 0:
        function = "trunc"
    value = f"CAST({expr.sql} AS DECIMAL(38, {digits(expr.type)[1]}))"
    if expr.family == "float":
        value = expr.sql
    scaled = f"{function}({value}, {places.sql})"
    if function == "trunc":
        power = f"power(10, {places.sql})"
        scaled = f"(trunc({value} * {power}) / {power})"
    return _cast(scaled, _result_type(expr), expr.nullable)


def _whole(call: FunctionCall) -> TypedSql:
    """CEILING and FLOOR; a decimal's result has scale 0."""
    call.check_count(1)
    expr = _number(call)
    sql_type = _result_type(expr)
    if sql_type.name in ("decimal", "numeric"):
        sql_type = decimal_type(expr.type.precision, 0, sql_type.name)
    return _cast(
        f"{'ceil' if call.name == 'CEILING' else 'floor'}({expr.sql})", sql_type, expr.nullable
    )


def _power(call: FunctionCall) -> TypedSql:
    call.check_count(2)
    base = _number(call)
    exponent = convert(call.argument(1), FLOAT)
    return _cast(f"power({base.sql}, {exponent.sql})", _result_type(base), True)


def _sign(call: FunctionCall) -> TypedSql:
    expr = _number(call)
    return _cast(f"sign({expr.sql})", _result_type(expr), expr.nullable)


def _new_id(_: FunctionCall) -> TypedSql:
    return TypedSql("uuid()", SqlType("uniqueidentifier"), nullable=False)


FUNCTIONS: Mapping[str, Function] = {
    "ABS": _absolute,
    "ROUND": _round,
    **dict.fromkeys(("CEILING", "FLOOR"), _whole),
    "POWER": _power,
    "SIGN": _sign,
    "NEWID": _new_id,
    "NEWSEQUENTIALID": _new_id,
}
