"""Comparison and common types, with SQL Server's conversions and type clashes."""

from __future__ import annotations

from dataclasses import replace

from sandbox.sql_server.engine.values.conversions import convert
from sandbox.sql_server.engine.values.literals import literal
from sandbox.sql_server.engine.values.sql_types import (
    LEGACY_DATETIMES,
    NUMBERS,
    TEMPORAL,
    common_type,
    family,
)
from sandbox.sql_server.engine.values.typed_sql import (
    TypedSql,
    in_ticks,
    native,
    quote,
)
from sandbox.sql_server.results import SqlError, SqlType

_GUID_PIECES = (
    (25, 12),
    (20, 4),
    (17, 2),
    (15, 2),
    (12, 2),
    (10, 2),
    (7, 2),
    (5, 2),
    (3, 2),
    (1, 2),
)
"""Start and length of the pieces of a GUID's text, most significant first."""


def compare(operator: str, left: TypedSql, right: TypedSql) -> str:
    """A condition for = <> < <= > and >=.

    Raises:
        SqlError: 206, the types cannot be compared.
    """
    left, right = comparable(left, right)
    return f"({sort_key(left)} {operator} {sort_key(right)})"


def sort_key(expr: TypedSql) -> str:
    """SQL that sorts as SQL Server sorts the expression.

    In a uniqueidentifier the last six bytes are the most significant, then the groups before
    them, last to first, byte by byte as stored. Source: .NET's SqlGuid.
    """
    if expr.family != "guid" or expr.is_untyped_null:
        return expr.sql
    text = f"CAST({expr.sql} AS VARCHAR)"
    return "||".join(f"substr({text}, {start}, {count})" for start, count in _GUID_PIECES)


def comparable(left: TypedSql, right: TypedSql) -> tuple[TypedSql, TypedSql]:
    """Both expressions converted so that they can be compared.

    Raises:
        SqlError: 206, the types cannot be compared.
    """
    if left.is_untyped_null or right.is_untyped_null:
        return left, right
    _check_clash(left, right)
    target = common_type(left.type, right.type)
    if left.family == right.family == "text":
        return _comparable_text(left), _comparable_text(right)
    if target.name == "sql_variant":
        target = right.type if left.type == target else left.type
    left, right = _widened(left, target), _widened(right, target)
    if family(target) == "offset":
        return _utc(left), _utc(right)
    if left.in_ticks != right.in_ticks:
        return in_ticks(left), in_ticks(right)
    return left, right


def _check_clash(left: TypedSql, right: TypedSql) -> None:
    for expr, other in ((left, right), (right, left)):
        if (
            expr.family in TEMPORAL
            and other.family in NUMBERS
            and expr.type.name not in LEGACY_DATETIMES
        ):
            clash = f"Operand type clash: {left.type.name} is incompatible with {right.type.name}"
            raise SqlError(206, clash)


def _widened(expr: TypedSql, target: SqlType) -> TypedSql:
    if expr.family == family(target) and not expr.is_constant:
        return expr  # DuckDB compares values of one family whatever their sizes
    if expr.family in NUMBERS - {"bit"} and family(target) in NUMBERS:
        return expr
    return convert(expr, target)


def _utc(expr: TypedSql) -> TypedSql:
    return replace(expr, sql=f"{expr.sql}.utc")


def _comparable_text(expr: TypedSql) -> TypedSql:
    """Make a comparison ignore case and trailing spaces, as SQL Server does."""
    if isinstance(expr.constant, str):
        trimmed = literal(expr.constant.rstrip(" "))
        return replace(expr, sql=f"({trimmed.sql} COLLATE NOCASE)")
    return replace(expr, sql=f"({expr.sql} COLLATE NOCASE)") if not _is_column(expr) else expr


def _is_column(expr: TypedSql) -> bool:
    return expr.sql.startswith(quote("")[:1]) and expr.sql.endswith('"')


def same_type(exprs: list[TypedSql]) -> list[TypedSql]:
    """Convert the expressions to their common type, as CASE, COALESCE and UNION do."""
    typed = [expr for expr in exprs if not expr.is_untyped_null]
    if not typed:
        return exprs
    target = typed[0].type
    for expr in typed[1:]:
        target = common_type(target, expr.type)
    return [coerced(expr, target) for expr in exprs]


def coerced(expr: TypedSql, target: SqlType) -> TypedSql:
    """The expression as this type, in DuckDB's own representation."""
    expr = native(expr)
    return native(expr if expr.type == target else convert(expr, target))
