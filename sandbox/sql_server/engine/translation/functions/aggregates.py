"""Aggregates and window functions, with SQL Server's result types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sandbox.sql_server.engine.translation.windows import ordered
from sandbox.sql_server.engine.values.conversions import convert
from sandbox.sql_server.engine.values.operators import sort_key
from sandbox.sql_server.engine.values.sql_types import (
    BIGINT,
    FLOAT,
    INT,
    decimal_type,
    digits,
    is_unicode,
    storage_type,
)
from sandbox.sql_server.engine.values.typed_sql import Term, in_ticks
from sandbox.sql_server.results import SqlError, SqlType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.sql_server.engine.translation.functions.function_call import Call, Function
    from sandbox.sql_server.engine.translation.name_scopes import Scope
    from sandbox.sql_server.engine.translation.translator import Translator

_MAX_PRECISION = 38


def _argument(call: Call) -> tuple[Term, str]:
    """The aggregated term and DISTINCT, if that was written."""
    call.check_count(1)
    node = call.nodes[0]
    if isinstance(node, exp.Distinct):
        return call.translator.term(node.expressions[0], call.scope), "DISTINCT "
    return call.translator.term(node, call.scope), ""


def _count(call: Call) -> Term:
    call.check_count(1)
    sql_type = BIGINT if call.name == "COUNT_BIG" else INT
    if isinstance(call.nodes[0], exp.Star):
        counted = "count(*)"
    else:
        term, distinct = _argument(call)
        counted = f"count({distinct}{term.sql})"
    sql = f"CAST({counted}{call.over} AS {storage_type(sql_type)})"
    return Term(sql, sql_type)


def _summed(call: Call) -> tuple[Term, str]:
    term, distinct = _argument(call)
    if term.family not in ("integer", "decimal", "float"):
        message = f"Operand data type {term.type.name} is invalid for {call.name.lower()} operator."
        raise SqlError(8117, message)
    return term, distinct


def _sum(call: Call) -> Term:
    term, distinct = _summed(call)
    sql_type = _sum_type(term.type)
    return Term(f"CAST(sum({distinct}{term.sql}){call.over} AS {storage_type(sql_type)})", sql_type)


def _sum_type(sql_type: SqlType) -> SqlType:
    if sql_type.name in ("decimal", "numeric"):
        return decimal_type(_MAX_PRECISION, digits(sql_type)[1], sql_type.name)
    return {"tinyint": INT, "smallint": INT, "real": FLOAT, "smallmoney": SqlType("money")}.get(
        sql_type.name, sql_type
    )


def _average(call: Call) -> Term:
    term, distinct = _summed(call)
    sql_type = _sum_type(term.type)
    if sql_type.name in ("decimal", "numeric"):
        sql_type = decimal_type(_MAX_PRECISION, max(digits(sql_type)[1], 6), sql_type.name)
    total, count = (f"{name}({distinct}{term.sql}){call.over}" for name in ("sum", "count"))
    if term.family == "integer":
        sql = f"({total} // nullif({count}, 0))"
    else:
        sql = f"avg({distinct}{term.sql}){call.over}"
    return Term(f"CAST({sql} AS {storage_type(sql_type)})", sql_type)


def _extreme(call: Call) -> Term:
    term, _ = _argument(call)
    name = call.name.lower()
    key = sort_key(term)
    chosen = f"{name}({key})" if key == term.sql else f"arg_{name}({term.sql}, {key})"
    return Term(f"{chosen}{call.over}", term.type, in_ticks=term.in_ticks)


def _spread(call: Call) -> Term:
    term, distinct = _summed(call)
    names = {"STDEV": "stddev_samp", "STDEVP": "stddev_pop", "VAR": "var_samp", "VARP": "var_pop"}
    value = convert(term, FLOAT).sql
    return Term(f"{names[call.name]}({distinct}{value}){call.over}", FLOAT)


def _rank(call: Call) -> Term:
    arguments = ", ".join(term.sql for term in call.terms())
    if not call.over:
        message = f"The function '{call.name}' must have an OVER clause."
        raise SqlError(10753, message, severity=15)
    sql_type = FLOAT if call.name in ("CUME_DIST", "PERCENT_RANK") else BIGINT
    return Term(f"{call.name.lower()}({arguments}){call.over}", sql_type, nullable=False)


def _neighbour(call: Call) -> Term:
    value, *others = (call.raw(index) for index in range(len(call.nodes)))
    if len(others) == 2:
        others[1] = convert(others[1], value.type)
        others[1] = in_ticks(others[1]) if value.in_ticks else others[1]
    arguments = ", ".join(term.sql for term in (value, *others))
    sql = f"{call.name.lower()}({arguments}){call.over}"
    return Term(sql, value.type, in_ticks=value.in_ticks)


def string_agg(translator: Translator, node: exp.Expr, scope: Scope) -> Term:
    """STRING_AGG, with or without WITHIN GROUP."""
    if node.args.get("separator") is None:
        message = "The string_agg function requires 2 argument(s)."
        raise SqlError(174, message, severity=15)
    inner, order = node.this, ""
    if isinstance(inner, exp.Order):
        keys = [ordered(translator.term(o.this, scope).sql, o) for o in inner.expressions]
        inner, order = inner.this, f" ORDER BY {', '.join(keys)}"
    term = translator.native(inner, scope)
    unicode = is_unicode(term.type)
    long = term.family == "text" and term.type.length is None
    sql_type = SqlType("nvarchar", 4000) if unicode else SqlType("varchar", 8000)
    sql_type = SqlType(sql_type.name, None) if long else sql_type
    separator = translator.native(node.args["separator"], scope)
    text = convert(term, SqlType(sql_type.name, None))
    return Term(f"string_agg({text.sql}, {separator.sql}{order})", sql_type)


FUNCTIONS: Mapping[str, Function] = {
    "COUNT": _count,
    "COUNT_BIG": _count,
    "SUM": _sum,
    "AVG": _average,
    **dict.fromkeys(("MIN", "MAX"), _extreme),
    **dict.fromkeys(("STDEV", "STDEVP", "VAR", "VARP"), _spread),
    **dict.fromkeys(
        ("ROW_NUMBER", "RANK", "DENSE_RANK", "NTILE", "CUME_DIST", "PERCENT_RANK"), _rank
    ),
    **dict.fromkeys(("LAG", "LEAD", "FIRST_VALUE", "LAST_VALUE"), _neighbour),
}
