"""Translated expressions: DuckDB's text, and what SQL Server would say about their values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sandbox.sql_server.engine.values.sql_types import INT, family, storage_type

if TYPE_CHECKING:
    from sandbox.sql_server.results import SqlError, SqlType

TICKS_AT_UNIX_EPOCH = 621_355_968_000_000_000
"""100 ns ticks from 0001-01-01 to 1970-01-01."""

ERROR_MARK = "\u241b"
"""Encloses the number of an error that a translated expression raises with `error()`."""


class _NotConstant:
    """The value of an expression that is only known when it runs."""


NOT_CONSTANT = _NotConstant()


@dataclass(frozen=True, slots=True)
class TypedSql:
    """An expression in DuckDB's SQL with its SQL Server type.

    `constant` is its value where that is known; `in_ticks` says that a time(7) or datetime2(7)
    is a number of 100 ns ticks; `is_json` that FOR JSON takes it unquoted.
    """

    sql: str
    type: SqlType
    nullable: bool = True
    constant: Any = NOT_CONSTANT
    in_ticks: bool = False
    is_json: bool = False
    is_identity: bool = False
    is_untyped_null: bool = False

    @property
    def family(self) -> str:
        """The family of its type."""
        return family(self.type)

    @property
    def is_constant(self) -> bool:
        """Its value is known."""
        return self.constant is not NOT_CONSTANT


UNTYPED_NULL = TypedSql("NULL", INT, constant=None, is_untyped_null=True)


def quote(name: str) -> str:
    """An identifier for DuckDB."""
    return '"' + name.replace('"', '""') + '"'


def string_literal(text: str) -> str:
    """A string for DuckDB."""
    return "'" + text.replace("'", "''") + "'"


def error_sql(number: int, message: str, details: str = "''", severity: int = 16) -> str:
    """An expression that fails with this error; `details` is SQL for the text in place of `{}`."""
    before, mark, after = message.partition("{}")
    head = string_literal(f"{ERROR_MARK}{number}.{severity}{ERROR_MARK}{before}")
    return f"error({head} || {details} || {string_literal(after)})" if mark else f"error({head})"


def failing_expression(problem: SqlError, sql_type: SqlType) -> TypedSql:
    """A expr that fails when it runs."""
    message = problem.message.replace("{}", "{ }")
    failed = error_sql(problem.number, message, severity=problem.severity)
    return TypedSql(f"CAST({failed} AS {storage_type(sql_type)})", sql_type)


def native(expr: TypedSql) -> TypedSql:
    """The same value in DuckDB's own type, to the microsecond."""
    if not expr.in_ticks:
        return expr
    micros = f"({expr.sql} // 10)"
    sql = (
        f"CAST(make_timestamp({micros}) AS TIME)"
        if expr.family == "time"
        else f"make_timestamp({micros} - {TICKS_AT_UNIX_EPOCH // 10})"
    )
    return replace(expr, sql=sql, in_ticks=False)


def in_ticks(expr: TypedSql) -> TypedSql:
    """The same time or instant in 100 ns ticks."""
    if expr.in_ticks:
        return expr
    since = "TIME '00:00:00'" if expr.family == "time" else "TIMESTAMP '0001-01-01'"
    sql = f"(date_diff('microsecond', {since}, {expr.sql}) * 10)"
    return replace(expr, sql=sql, in_ticks=True)
