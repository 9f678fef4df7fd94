"""Functions on numbers, and those that choose: ISNULL, COALESCE, NULLIF, IIF."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sandbox.sql_server.engine.values.conversions import convert
from sandbox.sql_server.engine.values.operators import compare, same_type
from sandbox.sql_server.engine.values.sql_types import (
    FLOAT,
    INT,
    decimal_type,
    digits,
    storage_type,
)
from sandbox.sql_server.engine.values.typed_sql import NOT_CONSTANT, UNTYPED_NULL, Term, native
from sandbox.sql_server.results import SqlType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.sql_server.engine.translation.functions.function_call import Call, Function

_FLOATS = {"SQRT": "sqrt", "EXP": "exp", "LOG10": "log10", "SIN": "sin", "COS": "cos",
           "TAN": "tan", "ATAN": "atan", "RADIANS": "radians", "DEGREES": "degrees"}  # fmt: skip


def _number(call: Call, index: int = 0) -> Term:
    term = call.term(index)
    return term if term.family in ("integer", "decimal", "float") else convert(term, FLOAT)


def _result_type(term: Term) -> SqlType:
    """Small types grow as SQL Server's functions let them."""
    grown = {"tinyint": INT, "smallint": INT, "smallmoney": SqlType("money"), "real": FLOAT}
    return grown.get(term.type.name, term.type)


def _cast(sql: str, sql_type: SqlType, nullable: bool) -> Term:
    return Term(f"CAST({sql} AS {storage_type(sql_type)})", sql_type, nullable)


def _absolute(call: Call) -> Term:
    call.check_count(1)
    term = _number(call)
    return _cast(f"abs({term.sql})", _result_type(term), term.nullable)


def _round(call: Call) -> Term:
    call.check_count(2, 3)
    term, places = _number(call), call.number(1)
    function = "round"
    if len(call.nodes) > 2 and call.number(2).constant != 0:
        function = "trunc"
    value = f"CAST({term.sql} AS DECIMAL(38, {digits(term.type)[1]}))"
    if term.family == "float":
        value = term.sql
    scaled = f"{function}({value}, {places.sql})"
    if function == "trunc":
        power = f"power(10, {places.sql})"
        scaled = f"(trunc({value} * {power}) / {power})"
    return _cast(scaled, _result_type(term), term.nullable)


def _whole(call: Call) -> Term:
    """CEILING and FLOOR: a decimal loses its scale."""
    call.check_count(1)
    term = _number(call)
    sql_type = _result_type(term)
    if sql_type.name in ("decimal", "numeric"):
        sql_type = decimal_type(term.type.precision, 0, sql_type.name)
    return _cast(
        f"{'ceil' if call.name == 'CEILING' else 'floor'}({term.sql})", sql_type, term.nullable
    )


def _float_function(call: Call) -> Term:
    call.check_count(1)
    value = convert(call.term(0), FLOAT)
    return Term(f"{_FLOATS[call.name]}({value.sql})", FLOAT, value.nullable)


def _log(call: Call) -> Term:
    value = convert(call.term(0), FLOAT).sql
    if len(call.nodes) > 1:
        return Term(f"(ln({value}) / ln({convert(call.term(1), FLOAT).sql}))", FLOAT)
    return Term(f"ln({value})", FLOAT)


def _power(call: Call) -> Term:
    call.check_count(2)
    base = _number(call)
    exponent = convert(call.term(1), FLOAT)
    return _cast(f"power({base.sql}, {exponent.sql})", _result_type(base), True)


def _sign(call: Call) -> Term:
    term = _number(call)
    return _cast(f"sign({term.sql})", _result_type(term), term.nullable)


def _square(call: Call) -> Term:
    value = convert(call.term(0), FLOAT).sql
    return Term(f"({value} * {value})", FLOAT)


def _pi(_: Call) -> Term:
    return Term("pi()", FLOAT, nullable=False)


def _random(_: Call) -> Term:
    return Term("random()", FLOAT, nullable=False)


def _new_id(_: Call) -> Term:
    return Term("uuid()", SqlType("uniqueidentifier"), nullable=False)


def _checksum(call: Call) -> Term:
    values = ", ".join(term.sql for term in call.terms())
    return Term(f"CAST(hash({values}) % 2147483647 AS INTEGER)", INT, nullable=False)


def _is_null(call: Call) -> Term:
    """ISNULL keeps the first argument's type, where COALESCE takes the higher."""
    call.check_count(2)
    first, second = call.term(0), call.term(1)
    if first.is_untyped_null:
        return second
    second = native(convert(second, first.type))
    sql = f"coalesce({first.sql}, {second.sql})"
    nullable = first.nullable and second.nullable
    return replace(
        first, sql=sql, nullable=nullable, constant=NOT_CONSTANT, is_identity=False, is_json=False
    )


def _coalesce(call: Call) -> Term:
    call.check_count(2, 1000)
    terms = same_type(call.terms())
    sql = f"coalesce({', '.join(term.sql for term in terms)})"
    return Term(sql, terms[0].type, all(term.nullable for term in terms))


def _null_if(call: Call) -> Term:
    call.check_count(2)
    first, second = call.term(0), call.term(1)
    sql = f"CASE WHEN {compare('=', first, second)} THEN NULL ELSE {first.sql} END"
    return Term(sql, first.type)


def _choose_by_condition(call: Call) -> Term:
    """IIF(condition, value, value)."""
    call.check_count(3)
    condition = call.translator.condition(call.nodes[0], call.scope)
    yes, no = same_type([call.term(1), call.term(2)])
    sql = f"CASE WHEN {condition} THEN {yes.sql} ELSE {no.sql} END"
    return Term(sql, yes.type, yes.nullable or no.nullable)


def _choose(call: Call) -> Term:
    index = call.number(0)
    *values, _ = same_type([*(call.term(i) for i in range(1, len(call.nodes))), UNTYPED_NULL])
    arms = "".join(f" WHEN {i} THEN {v.sql}" for i, v in enumerate(values, start=1))
    return Term(f"CASE {index.sql}{arms} END", values[0].type)


def _is_numeric(call: Call) -> Term:
    text = call.text(0)
    sql = f"CAST(TRY_CAST(trim({text.sql}) AS DOUBLE) IS NOT NULL AS INTEGER)"
    return Term(sql, INT, nullable=False)


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
