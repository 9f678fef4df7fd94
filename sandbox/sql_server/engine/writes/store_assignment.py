"""Store assignment: converts a value to its column's type, or fails if it does not fit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sandbox.sql_server.engine.translation.functions.text_functions import utf16_length
from sandbox.sql_server.engine.values.conversions import convert
from sandbox.sql_server.engine.values.sql_types import is_stored_in_ticks, is_unicode
from sandbox.sql_server.engine.values.typed_sql import (
    TypedSql,
    error_sql,
    failing_expression,
    in_ticks,
)
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from sandbox.sql_server.engine.catalog.schema_objects import Table, TableColumn


def store_assignment(expr: TypedSql, column: TableColumn, table: Table, database: str) -> str:
    """DuckDB SQL for the value as the column stores it.

    Raises:
        SqlError: 206 or 257, the types are incompatible.
    """
    sql_type = column.type
    if sql_type.name in ("char", "varchar", "nchar", "nvarchar", "varbinary", "binary"):
        return _fitting(expr, column, table, database)
    expr = convert(expr, sql_type)
    return in_ticks(expr).sql if is_stored_in_ticks(sql_type) else expr.sql


def _fitting(expr: TypedSql, column: TableColumn, table: Table, database: str) -> str:
    sql_type = column.type
    if sql_type.length is None or expr.is_untyped_null:
        return convert(expr, sql_type).sql
    is_text = "char" in sql_type.name
    wide = convert(
        expr, replace(sql_type, name="nvarchar" if is_text else "varbinary", length=None)
    )
    if isinstance(wide.constant, str):
        if _units(wide.constant.rstrip(" "), column) > sql_type.length:
            return failing_expression(
                _truncated(wide.constant, column, table, database), sql_type
            ).sql
        return convert(wide, sql_type).sql
    fits = expr.family in ("text", "binary") and (expr.type.length or 1 << 31) <= sql_type.length
    value = convert(wide, sql_type).sql
    if fits:
        return value
    size = utf16_length(f"rtrim({wide.sql}, ' ')") if is_text else f"octet_length({wide.sql})"
    message = _truncated("{}", column, table, database).message
    shown = f"left({wide.sql}, {sql_type.length})" if is_text else "''"
    failed = error_sql(2628, message, shown)
    return f"CASE WHEN {size} > {sql_type.length} THEN {failed} ELSE {value} END"


def _units(text: str, column: TableColumn) -> int:
    if is_unicode(column.type):
        return len(text.encode("utf-16-le", "surrogatepass")) // 2
    return len(text)


def _truncated(text: str, column: TableColumn, table: Table, database: str) -> SqlError:
    message = (
        f"String or binary data would be truncated in table '{database}.{table.schema}."
        f"{table.name}', column '{column.name}'. Truncated value: '{text[: column.type.length]}'."
    )
    return SqlError(2628, message)
