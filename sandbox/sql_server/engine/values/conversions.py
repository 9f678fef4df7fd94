"""CAST, CONVERT and SQL Server's implicit conversions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sandbox.sql_server.engine.values.literals import literal
from sandbox.sql_server.engine.values.sql_types import (
    NUMBERS,
    TEMPORAL,
    family,
    storage_type,
)
from sandbox.sql_server.engine.values.temporal_casts import to_temporal
from sandbox.sql_server.engine.values.text_casts import to_text
from sandbox.sql_server.engine.values.typed_sql import NOT_CONSTANT, TypedSql, error_sql
from sandbox.sql_server.results import SqlError, SqlType

if TYPE_CHECKING:
    from collections.abc import Callable

_INTEGER_TEXT = r"^\s*[+-]?\d*\s*$"
_VALUE_OF_VARIANT = "substr({0}, strpos({0}, ':') + 1)"


def convert(
    expr: TypedSql, target: SqlType, *, style: int | None = None, is_safe: bool = False
) -> TypedSql:
    """Convert to a type; with `is_safe`, like TRY_CONVERT, NULL instead of an error.

    Raises:
        SqlError: the conversion does not exist.
    """
    if expr.is_untyped_null or (expr.is_constant and expr.constant is None):
        return literal(None, target)
    if expr.family == "variant" and target.name != "sql_variant":
        stored = _VALUE_OF_VARIANT.format(expr.sql)
        expr = replace(expr, sql=stored, type=SqlType("nvarchar", None), constant=NOT_CONSTANT)
    if family(target) in TEMPORAL:
        return to_temporal(_text_of_binary(expr), target, is_safe=is_safe)
    if family(target) == "text":
        return to_text(expr, target, style)
    if expr.type == target:
        return expr
    result = _CONVERTERS[family(target)](expr, target, _Failures(is_safe))
    return replace(result, nullable=expr.nullable or is_safe, constant=_kept_constant(expr, target))


def _kept_constant(expr: TypedSql, target: SqlType) -> object:
    """Keep integer constants, which SQL Server folds."""
    if expr.family in ("integer", "bit") and family(target) == "integer":
        return expr.constant
    return NOT_CONSTANT


def _text_of_binary(expr: TypedSql) -> TypedSql:
    return (
        expr if expr.family not in ("binary", "guid", "rowversion") else _refuse(expr, "datetime")
    )


def _refuse(expr: TypedSql, name: str) -> TypedSql:
    raise SqlError(206, f"Operand type clash: {expr.type.name} is incompatible with {name}")


class _Failures:
    """Writes what a failed conversion does: an error, or NULL."""

    def __init__(self, is_safe: bool) -> None:
        self._is_safe = is_safe

    def tried(self, expr: TypedSql, attempt: str, number: int, message: str) -> str:
        """The attempt, and an error where it is NULL although the expression is not."""
        if self._is_safe:
            return attempt
        failed = error_sql(number, message, expr.sql)
        return f"coalesce({attempt}, CASE WHEN {expr.sql} IS NOT NULL THEN {failed} END)"

    def cast(self, sql: str, storage: str) -> str:
        """CAST or TRY_CAST."""
        return f"{'TRY_CAST' if self._is_safe else 'CAST'}({sql} AS {storage})"


def _to_integer(expr: TypedSql, target: SqlType, failures: _Failures) -> TypedSql:
    storage = storage_type(target)
    match expr.family:
        case "text":
            message = _failed_conversion(expr, target)
            empty_as_zero = f"coalesce(nullif(trim({expr.sql}), ''), '0')"
            attempt = (
                f"CASE WHEN regexp_matches({expr.sql}, '{_INTEGER_TEXT}') "
                f"THEN {failures.cast(empty_as_zero, storage)} END"
            )
            return TypedSql(failures.tried(expr, attempt, 245, message), target)
        case "decimal" | "float":
            return TypedSql(failures.cast(f"trunc({expr.sql})", storage), target)
        case "binary":
            hexadecimal = f"('0x' || right('0' || hex({expr.sql}), 16))"
            return TypedSql(failures.cast(hexadecimal, storage), target)
        case "instant" if expr.type.name in ("datetime", "smalldatetime"):
            days = f"(epoch({expr.sql}) / 86400 + 25567)"
            return TypedSql(f"CAST(round({days}) AS {storage})", target)
    return _cast_number(expr, target, failures)


def _failed_conversion(expr: TypedSql, target: SqlType) -> str:
    return (
        f"Conversion failed when converting the {expr.type.name} value '{{}}' "
        f"to data type {target.name}."
    )


def _cast_number(expr: TypedSql, target: SqlType, failures: _Failures) -> TypedSql:
    if expr.family in NUMBERS or expr.family == "rowversion":
        return TypedSql(failures.cast(expr.sql, storage_type(target)), target)
    if expr.family == "text":
        name = "numeric" if target.name == "decimal" else target.name
        message = f"Error converting data type {expr.type.name} to {name}."
        attempt = f"TRY_CAST(trim({expr.sql}) AS {storage_type(target)})"
        return TypedSql(failures.tried(expr, attempt, 8114, message), target)
    return _refuse(expr, target.name)


def _to_bit(expr: TypedSql, target: SqlType, failures: _Failures) -> TypedSql:
    if expr.family == "text":
        message = _failed_conversion(expr, target)
        attempt = (
            f"CASE WHEN lower(trim({expr.sql})) IN ('true', 'false') "
            f"THEN lower(trim({expr.sql})) = 'true' "
            f"ELSE TRY_CAST(trim({expr.sql}) AS BIGINT) <> 0 END"
        )
        return TypedSql(failures.tried(expr, attempt, 245, message), target)
    return TypedSql(f"({_cast_number(expr, SqlType('float'), failures).sql} <> 0)", target)


def _to_binary(expr: TypedSql, target: SqlType, _: _Failures) -> TypedSql:
    match expr.family:
        case "binary":
            sql = expr.sql
        case "text":
            unicode = "n" in expr.type.name[0]
            sql = f"encode({expr.sql})" if not unicode else _utf16(expr.sql)
        case "integer" | "bit" | "rowversion":
            size = {"bigint": 16, "timestamp": 16, "smallint": 4, "tinyint": 2, "bit": 2}
            number = f"format('{{:0{size.get(expr.type.name, 8)}X}}', CAST({expr.sql} AS BIGINT))"
            sql = f"unhex({number})"
        case "guid":
            sql = f"unhex(replace(CAST({expr.sql} AS VARCHAR), '-', ''))"
        case _:
            _refuse(expr, target.name)
    return TypedSql(_sized_binary(sql, expr, target), target)


def _utf16(sql: str) -> str:
    """Text from the Basic Multilingual Plane as UTF-16."""
    unit = "format('{:04X}', unicode(c))"
    swapped = f"substr({unit}, 3, 2) || substr({unit}, 1, 2)"
    return f"unhex(array_to_string([{swapped} FOR c IN string_split({sql}, '') IF c <> ''], ''))"


def _sized_binary(sql: str, expr: TypedSql, target: SqlType) -> str:
    length = target.length
    if length is None or target.name == "image":
        return sql
    if target.name == "varbinary":
        fits = expr.family == "binary" and (expr.type.length or length + 1) <= length
        return sql if fits else f"unhex(left(hex({sql}), {2 * length}))"
    return f"unhex(rpad(left(hex({sql}), {2 * length}), {2 * length}, '0'))"


def _to_guid(expr: TypedSql, target: SqlType, failures: _Failures) -> TypedSql:
    if expr.family != "text":
        return _refuse(expr, target.name)
    message = "Conversion failed when converting from a character string to uniqueidentifier."
    attempt = f"TRY_CAST({expr.sql} AS UUID)"
    return TypedSql(failures.tried(replace(expr), attempt, 8169, message), target)


def _to_rowversion(expr: TypedSql, target: SqlType, failures: _Failures) -> TypedSql:
    return replace(_to_integer(expr, SqlType("bigint"), failures), type=target)


def _to_variant(expr: TypedSql, target: SqlType, _: _Failures) -> TypedSql:
    if expr.is_constant:
        return literal(expr.constant, target)
    tag = {"bit": "bit", "integer": "int", "decimal": "numeric", "float": "float", "date": "date",
           "time": "time", "instant": "datetime2", "guid": "uniqueidentifier",
           "binary": "varbinary"}.get(expr.family, "nvarchar")  # fmt: skip
    text = f"hex({expr.sql})" if expr.family == "binary" else f"CAST({expr.sql} AS VARCHAR)"
    return TypedSql(f"('{tag}:' || {text})", target)


_CONVERTERS: dict[str, Callable[[TypedSql, SqlType, _Failures], TypedSql]] = {
    "bit": _to_bit,
    "integer": _to_integer,
    "decimal": _cast_number,
    "float": _cast_number,
    "binary": _to_binary,
    "guid": _to_guid,
    "rowversion": _to_rowversion,
    "variant": _to_variant,
}
