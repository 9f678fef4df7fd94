"""Functions on numbers, and those that choose: ISNULL, COALESCE, NULLIF, IIF."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sandbox.sql_server.engine.values.comparison import compare, same_type
from sandbox.sql_server.engine.values.conversions import convert
from sandbox.sql_server.engine.values.sql_types import (
    FLOAT,
    INT,
    decimal_type,
    digits,
    storage_type,
)
from sandbox.sql_server.engine.values.typed_sql import NOT_CONSTANT, UNTYPED_NULL, TypedSql, native
from sandbox.sql_server.results import SqlType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.sql_server.engine.translation.functions.function_call import Function, FunctionCall

_FLOATS = {"SQRT": "sqrt", "EXP": "exp", "LOG10": "log10", "SIN": "sin", "COS": "cos",
           "TAN": "tan", "ATAN": "atan", "RADIANS": "radians", "DEGREES": "degrees"}  # fmt: skip


def _number(call: FunctionCall, index: int = 0) -> TypedSql:
    expr = call.argument(index)
    return expr if expr.family in ("integer", "decimal", "float") else convert(expr, FLOAT)


def _result_type(expr: TypedSql) -> SqlType:
    """Small types grow as SQL Server's functions let them."""
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
    """CEILING and FLOOR: a decimal loses its scale."""
    call.check_count(1)
    expr = _number(call)
    sql_type = _result_type(expr)
    if sql_type.name in ("decimal", "numeric"):
        sql_type = decimal_type(expr.type.precision, 0, sql_type.name)
    return _cast(
        f"{'ceil' if call.name == 'CEILING' else 'floor'}({expr.sql})", sql_type, expr.nullable
    )


def _float_function(call: FunctionCall) -> TypedSql:
    call.check_count(1)
    value = convert(call.argument(0), FLOAT)
    return TypedSql(f"{_FLOATS[call.name]}({value.sql})", FLOAT, value.nullable)


def _log(call: FunctionCall) -> TypedSql:
    value = convert(call.argument(0), FLOAT).sql
    if len(call.nodes) > 1:
        return TypedSql(f"(ln({value}) / ln({convert(call.argument(1), FLOAT).sql}))", FLOAT)
    return TypedSql(f"ln({value})", FLOAT)


def _power(call: FunctionCall) -> TypedSql:
    call.check_count(2)
    base = _number(call)
    exponent = convert(call.argument(1), FLOAT)
    return _cast(f"power({base.sql}, {exponent.sql})", _result_type(base), True)


def _sign(call: FunctionCall) -> TypedSql:
    expr = _number(call)
    return _cast(f"sign({expr.sql})", _result_type(expr), expr.nullable)


def _square(call: FunctionCall) -> TypedSql:
    value = convert(call.argument(0), FLOAT).sql
    return TypedSql(f"({value} * {value})", FLOAT)


def _pi(_: FunctionCall) -> TypedSql:
    return TypedSql("pi()", FLOAT, nullable=False)


def _random(_: FunctionCall) -> TypedSql:
    return TypedSql("random()", FLOAT, nullable=False)


def _new_id(_: FunctionCall) -> TypedSql:
    return TypedSql("uuid()", SqlType("uniqueidentifier"), nullable=False)


def _checksum(call: FunctionCall) -> TypedSql:
    values = ", ".join(expr.sql for expr in call.arguments())
    return TypedSql(f"CAST(hash({values}) % 2147483647 AS INTEGER)", INT, nullable=False)


def _is_null(call: FunctionCall) -> TypedSql:
    """ISNULL keeps the first argument's type, where COALESCE takes the higher."""
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


def _choose(call: FunctionCall) -> TypedSql:
    index = call.number(0)
    *values, _ = same_type([*(call.argument(i) for i in range(1, len(call.nodes))), UNTYPED_NULL])
    arms = "".join(f" WHEN {i} THEN {v.sql}" for i, v in enumerate(values, start=1))
    return TypedSql(f"CASE {index.sql}{arms} END", values[0].type)


def _is_numeric(call: FunctionCall) -> TypedSql:
    text = call.text(0)
    sql = f"CAST(TRY_CAST(trim({text.sql}) AS DOUBLE) IS NOT NULL AS INTEGER)"
    return TypedSql(sql, INT, nullable=False)


FUNCTIONS: Mapping[str, Function] = {
    "ABS": _absolute,
    "ROUND": _round,
    **dict.fromkeys(("CEILING", "FLOOR"), _whole),
    **dict.fromkeys(_FLOATS, _float_function),
    "LOG": _log,
    "POWER": _power,
    "SIGN": _sign,
    "SQUARE": _square,
    "PI": _pi,
    "RAND": _random,
    "NEWID": _new_id,
    "NEWSEQUENTIALID": _new_id,
    **dict.fromkeys(("CHECKSUM", "BINARY_CHECKSUM"), _checksum),
    "ISNULL": _is_null,
    "COALESCE": _coalesce,
    "NULLIF": _null_if,
    "IIF": _choose_by_condition,
    "CHOOSE": _choose,
    "ISNUMERIC": _is_numeric,
}
