"""Aggregates and window functions, with SQL Server's result types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sandbox.sql_server.engine.translation.windows import ordered
from sandbox.sql_server.engine.values.comparison import sort_key
from sandbox.sql_server.engine.values.conversions import convert
from sandbox.sql_server.engine.values.sql_types import (
    BIGINT,
    FLOAT,
    INT,
    decimal_type,
    digits,
    is_unicode,
    storage_type,
)
from sandbox.sql_server.engine.values.typed_sql import TypedSql, in_ticks
from sandbox.sql_server.results import SqlError, SqlType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.sql_server.engine.translation.functions.function_call import Function, FunctionCall
    from sandbox.sql_server.engine.translation.name_scopes import Scope
    from sandbox.sql_server.engine.translation.translator import Translator

_MAX_PRECISION = 38


def _argument(call: FunctionCall) -> tuple[TypedSql, str]:
    """The aggregated expression, and DISTINCT if written."""
    call.check_count(1)
    node = call.nodes[0]
    if isinstance(node, exp.Distinct):
        return call.translator.expression(node.expressions[0], call.scope), "DISTINCT "
    return call.translator.expression(node, call.scope), ""


def _count(call: FunctionCall) -> TypedSql:
    call.check_count(1)
    sql_type = BIGINT if call.name == "COUNT_BIG" else INT
    if isinstance(call.nodes[0], exp.Star):
        counted = "count(*)"
    else:
        expr, distinct = _argument(call)
        counted = f"count({distinct}{expr.sql})"
    sql = f"CAST({counted}{call.over} AS {storage_type(sql_type)})"
    return TypedSql(sql, sql_type)


def _summed(call: FunctionCall) -> tuple[TypedSql, str]:
    expr, distinct = _argument(call)
    if expr.family not in ("integer", "decimal", "float"):
        message = f"Operand data type {expr.type.name} is invalid for {call.name.lower()} operator."
        raise SqlError(8117, message)
    return expr, distinct


def _sum(call: FunctionCall) -> TypedSql:
    expr, distinct = _summed(call)
    sql_type = _sum_type(expr.type)
    return TypedSql(
        f"CAST(sum({distinct}{expr.sql}){call.over} AS {storage_type(sql_type)})", sql_type
    )


def _sum_type(sql_type: SqlType) -> SqlType:
    if sql_type.name in ("decimal", "numeric"):
        return decimal_type(_MAX_PRECISION, digits(sql_type)[1], sql_type.name)
    return {"tinyint": INT, "smallint": INT, "real": FLOAT, "smallmoney": SqlType("money")}.get(
        sql_type.name, sql_type
    )


def _average(call: FunctionCall) -> TypedSql:
    expr, distinct = _summed(call)
    sql_type = _sum_type(expr.type)
    if sql_type.name in ("decimal", "numeric"):
        sql_type = decimal_type(_MAX_PRECISION, max(digits(sql_type)[1], 6), sql_type.name)
    total, count = (f"{name}({distinct}{expr.sql}){call.over}" for name in ("sum", "count"))
    if expr.family == "integer":
        sql = f"({total} // nullif({count}, 0))"
    else:
        sql = f"avg({distinct}{expr.sql}){call.over}"
    return TypedSql(f"CAST({sql} AS {storage_type(sql_type)})", sql_type)


def _extreme(call: FunctionCall) -> TypedSql:
    expr, _ = _argument(call)
    name = call.name.lower()
    key = sort_key(expr)
    chosen = f"{name}({key})" if key == expr.sql else f"arg_{name}({expr.sql}, {key})"
    return TypedSql(f"{chosen}{call.over}", expr.type, in_ticks=expr.in_ticks)


def _rank(call: FunctionCall) -> TypedSql:
    arguments = ", ".join(expr.sql for expr in call.arguments())
    if not call.over:
        message = f"The function '{call.name}' must have an OVER clause."
        raise SqlError(10753, message, severity=15)
    sql_type = FLOAT if call.name in ("CUME_DIST", "PERCENT_RANK") else BIGINT
    return TypedSql(f"{call.name.lower()}({arguments}){call.over}", sql_type, nullable=False)


def _neighbour(call: FunctionCall) -> TypedSql:
    value, *others = (call.raw_argument(index) for index in range(len(call.nodes)))
    if len(others) == 2:
        others[1] = convert(others[1], value.type)
        others[1] = in_ticks(others[1]) if value.in_ticks else others[1]
    arguments = ", ".join(expr.sql for expr in (value, *others))
    sql = f"{call.name.lower()}({arguments}){call.over}"
    return TypedSql(sql, value.type, in_ticks=value.in_ticks)


def string_agg(translator: Translator, node: exp.Expr, scope: Scope) -> TypedSql:
    """STRING_AGG, with or without WITHIN GROUP."""
    if node.args.get("separator") is None:
        message = "The string_agg function requires 2 argument(s)."
        raise SqlError(174, message, severity=15)
    inner, order = node.this, ""
    if isinstance(inner, exp.Order):
        keys = [ordered(translator.expression(o.this, scope).sql, o) for o in inner.expressions]
        inner, order = inner.this, f" ORDER BY {', '.join(keys)}"
    expr = translator.native(inner, scope)
    unicode = is_unicode(expr.type)
    long = expr.family == "text" and expr.type.length is None
    sql_type = SqlType("nvarchar", 4000) if unicode else SqlType("varchar", 8000)
    sql_type = SqlType(sql_type.name, None) if long else sql_type
    separator = translator.native(node.args["separator"], scope)
    text = convert(expr, SqlType(sql_type.name, None))
    return TypedSql(f"string_agg({text.sql}, {separator.sql}{order})", sql_type)


FUNCTIONS: Mapping[str, Function] = {
    "COUNT": _count,
    "COUNT_BIG": _count,
    "SUM": _sum,
    "AVG": _average,
    **dict.fromkeys(("MIN", "MAX"), _extreme),
    **dict.fromkeys(
        ("ROW_NUMBER", "RANK", "DENSE_RANK", "NTILE", "CUME_DIST", "PERCENT_RANK"), _rank
    ),
    **dict.fromkeys(("LAG", "LEAD", "FIRST_VALUE", "LAST_VALUE"), _neighbour),
}
