"""Conversions to text, by the styles of CONVERT."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sandbox.sql_server.engine.values.literals import literal
from sandbox.sql_server.engine.values.sql_types import TEMPORAL
from sandbox.sql_server.engine.values.temporal_text import temporal_text
from sandbox.sql_server.engine.values.typed_sql import NOT_CONSTANT, TypedSql

if TYPE_CHECKING:
    from sandbox.sql_server.results import SqlType


def padded(expr: TypedSql) -> TypedSql:
    """A char or nchar padded to its length; the engine stores it unpadded."""
    if expr.type.name not in ("char", "nchar") or not expr.type.length:
        return expr
    return replace(expr, sql=f"rpad({expr.sql}, {expr.type.length}, ' ')", constant=NOT_CONSTANT)


def to_text(expr: TypedSql, target: SqlType, style: int | None) -> TypedSql:
    """Convert to text, in a style of CONVERT."""
    sql = _text_sql(expr, style or 0)
    constant: object = NOT_CONSTANT
    length = target.length if target.name not in ("text", "ntext", "xml") else None
    fits = expr.family == "text" and expr.type.length and expr.type.length <= (length or 2**31)
    if isinstance(expr.constant, str):
        constant = expr.constant[:length]
        sql = literal(expr.constant[:length]).sql
    elif length is not None and not fits:
        sql = f"left({sql}, {length})"
    if target.name in ("char", "nchar") and expr.type.name not in ("char", "nchar"):
        sql = f"rtrim({sql}, ' ')"
    return TypedSql(sql, target, expr.nullable, constant=constant, is_json=expr.is_json)


def _text_sql(expr: TypedSql, style: int) -> str:
    match expr.family:
        case "text":
            return padded(expr).sql
        case "bit":
            return f"CAST(CAST({expr.sql} AS INTEGER) AS VARCHAR)"
        case "guid":
            return f"upper(CAST({expr.sql} AS VARCHAR))"
        case "binary" | "rowversion":
            return _binary_text(expr, style)
        case "float":
            return _float_text(expr.sql, style)
        case "decimal" if "money" in expr.type.name and style != 2:
            return f"CAST(CAST({expr.sql} AS DECIMAL(38, 2)) AS VARCHAR)"
    return temporal_text(expr, style) if expr.family in TEMPORAL else f"CAST({expr.sql} AS VARCHAR)"


def _binary_text(expr: TypedSql, style: int) -> str:
    if expr.family == "rowversion":
        hexadecimal = f"format('{{:016X}}', {expr.sql})"
    else:
        hexadecimal = f"hex({expr.sql})"
    if style in (1, 2):
        return f"('0x' || {hexadecimal})" if style == 1 else hexadecimal
    return f"decode({expr.sql})" if expr.family == "binary" else hexadecimal


def _float_text(sql: str, style: int) -> str:
    """Six digits, or 17 with style 3; exponents have three digits."""
    form = {1: "%.7e", 2: "%.15e", 3: "%.16e"}.get(style, "%g")
    written = f"printf('{form}', CAST({sql} AS DOUBLE))"
    return f"regexp_replace({written}, 'e([+-])(\\d\\d)$', 'e\\10\\2')"
