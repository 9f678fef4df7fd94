"""Arithmetic, with SQL Server's result types, conversions and type clashes."""

from __future__ import annotations

from dataclasses import replace

from sandbox.sql_server.engine.values.conversions import convert
from sandbox.sql_server.engine.values.literals import literal
from sandbox.sql_server.engine.values.sql_types import (
    DATETIME,
    FLOAT,
    INT,
    LEGACY_DATETIMES,
    NUMBERS,
    TEMPORAL,
    common_type,
    decimal_type,
    digits,
    family,
    is_unicode,
    storage_type,
)
from sandbox.sql_server.engine.values.text_casts import padded
from sandbox.sql_server.engine.values.typed_sql import (
    NOT_CONSTANT,
    TypedSql,
    error_sql,
)
from sandbox.sql_server.results import SqlError, SqlType

_HUGE = 38
_NAMES = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "%": "modulo"}


def arithmetic(operator: str, left: TypedSql, right: TypedSql) -> TypedSql:
    """`left operator right` for + - * / and %.

    Raises:
        SqlError: the types are incompatible.
    """
    if left.is_untyped_null or right.is_untyped_null:
        known = right if left.is_untyped_null else left
        return literal(None, known.type)
    families = {left.family, right.family}
    if operator == "+" and families <= {"text"}:
        return concatenation(left, right)
    if operator == "+" and families <= {"binary"}:
        lengths = left.type.length, right.type.length
        length = None if None in lengths else min(sum(lengths), 8000)  # type: ignore[arg-type]
        joined = f"({left.sql} || {right.sql})"
        return TypedSql(joined, SqlType("varbinary", length), left.nullable or right.nullable)
    if families & TEMPORAL:
        return _datetime_arithmetic(operator, left, right)
    return _number_arithmetic(operator, left, right)


def concatenation(left: TypedSql, right: TypedSql) -> TypedSql:
    """Concatenate text; NULL if either is NULL."""
    sql_type = joined_type(left.type, right.type)
    constant: object = NOT_CONSTANT
    if isinstance(left.constant, str) and isinstance(right.constant, str):
        constant = left.constant + right.constant
    sql = f"({padded(left).sql} || {padded(right).sql})"
    return TypedSql(sql, sql_type, left.nullable or right.nullable, constant=constant)


def joined_type(left: SqlType, right: SqlType) -> SqlType:
    """The type of concatenated text."""
    unicode = is_unicode(left) or is_unicode(right)
    name, limit = ("nvarchar", 4000) if unicode else ("varchar", 8000)
    if left.length is None or right.length is None:
        return SqlType(name, None)
    return SqlType(name, min(left.length + right.length, limit))


def _datetime_arithmetic(operator: str, left: TypedSql, right: TypedSql) -> TypedSql:
    instant, other = (left, right) if left.family in TEMPORAL else (right, left)
    if instant.type.name not in LEGACY_DATETIMES:
        clash = f"Operand type clash: {left.type.name} is incompatible with {right.type.name}"
        raise SqlError(206, clash)
    if other.family in TEMPORAL or other.family == "text":
        other = convert(other, DATETIME)
        micros = f"(epoch_us({other.sql}) + 2208988800000000)"  # since 1900
    else:
        micros = f"CAST(round({convert(other, FLOAT).sql} * 86400000000) AS BIGINT)"
    sql = f"({instant.sql} {operator} to_microseconds({micros}))"
    return TypedSql(sql, DATETIME, left.nullable or right.nullable)


def _number_arithmetic(operator: str, left: TypedSql, right: TypedSql) -> TypedSql:
    target = common_type(left.type, right.type)
    if family(target) not in NUMBERS or target.name == "bit":
        message = (
            f"The data types {left.type.name} and {right.type.name} are incompatible "
            f"in the {_NAMES[operator]} operator."
        )
        raise SqlError(402, message)
    if target.name in ("decimal", "numeric"):
        return _decimal_arithmetic(operator, left, right)
    left, right = convert(left, target), convert(right, target)
    nullable = left.nullable or right.nullable
    symbol = "//" if operator == "/" and family(target) == "integer" else operator
    if operator == "/" and family(target) == "decimal":
        sql = _exact_quotient(left, right, target)
    elif operator == "/" and family(target) == "float":
        sql = _float_quotient(left, right)
    else:
        sql = f"({left.sql} {symbol} {right.sql})"
    result = TypedSql(f"CAST({sql} AS {storage_type(target)})", target, nullable)
    return replace(result, constant=_folded(operator, left, right))


def _folded(operator: str, left: TypedSql, right: TypedSql) -> object:
    a, b = left.constant, right.constant
    if not (isinstance(a, int) and isinstance(b, int)) or operator not in ("+", "-", "*"):
        return NOT_CONSTANT
    value = {"+": a + b, "-": a - b, "*": a * b}[operator]
    return value if abs(value) < 2**31 else NOT_CONSTANT


def _decimal_arithmetic(operator: str, left: TypedSql, right: TypedSql) -> TypedSql:
    left, right = _as_decimal(left), _as_decimal(right)
    (p1, s1), (p2, s2) = digits(left.type), digits(right.type)
    scale = max(s1, s2)
    match operator:
        case "*":
            target = decimal_type(p1 + p2 + 1, s1 + s2)
        case "/":
            scale = max(6, s1 + p2 + 1)
            target = decimal_type(p1 - s1 + s2 + scale, scale)
        case "%":
            target = decimal_type(min(p1 - s1, p2 - s2) + scale, scale)
        case _:
            target = decimal_type(max(p1 - s1, p2 - s2) + scale + 1, scale)
    storage = storage_type(target)
    if operator == "/":
        sql = _exact_quotient(left, right, target)
    elif operator == "*" and s1 + s2 > _HUGE:
        sql = f"(CAST({left.sql} AS DOUBLE) * CAST({right.sql} AS DOUBLE))"
    else:
        sql = f"({left.sql} {operator} {right.sql})"
    return TypedSql(f"CAST({sql} AS {storage})", target, left.nullable or right.nullable)


def _as_decimal(expr: TypedSql) -> TypedSql:
    if expr.family == "integer" and isinstance(expr.constant, int):
        # An integer literal is as precise as it is written, which keeps results narrow.
        return convert(expr, decimal_type(max(len(str(abs(expr.constant))), 1), 0))
    if expr.family == "text":
        return convert(expr, decimal_type(18, 0))
    return expr if expr.type.name in ("decimal", "numeric") else convert(expr, _exact_type(expr))


def _exact_type(expr: TypedSql) -> SqlType:
    return decimal_type(*digits(expr.type))


def _exact_quotient(left: TypedSql, right: TypedSql, target: SqlType) -> str:
    """A quotient truncated to the target's scale: integer arithmetic where it fits, else floats."""
    (p1, s1), (p2, s2) = digits(left.type), digits(right.type)
    _, scale = digits(target)
    shift = scale + s2 - s1
    if shift < 0 or p1 + max(shift, s1 + 1) > _HUGE or p2 + s2 + 1 > _HUGE:
        return _float_quotient(left, right)
    dividend = f"(CAST({left.sql} * {10**s1} AS HUGEINT) * {10**shift})"
    whole = f"({dividend} // CAST({right.sql} * {10**s2} AS HUGEINT))"
    unit = f"CAST('1e-{scale}' AS DECIMAL({scale + 1}, {scale}))"
    return f"(CAST({whole} AS DECIMAL(38, 0)) * {unit})"


def _float_quotient(left: TypedSql, right: TypedSql) -> str:
    """Divide as floats; unlike DuckDB, SQL Server fails on a zero divisor."""
    divisor = f"CAST({right.sql} AS DOUBLE)"
    zero = error_sql(8134, "Divide by zero error encountered.")
    return f"CASE WHEN {divisor} = 0 THEN {zero} ELSE CAST({left.sql} AS DOUBLE) / {divisor} END"


def negative(expr: TypedSql) -> TypedSql:
    """The expression with its sign changed."""
    if expr.family not in NUMBERS:
        expr = convert(expr, INT)
    constant = -expr.constant if isinstance(expr.constant, int) else NOT_CONSTANT
    return replace(expr, sql=f"(-{expr.sql})", constant=constant, is_identity=False)
