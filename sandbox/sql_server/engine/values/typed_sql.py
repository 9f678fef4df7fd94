"""Translated expressions: DuckDB SQL with the SQL Server type of its value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sandbox.sql_server.engine.values.sql_types import INT, family, storage_type

if TYPE_CHECKING:
    from sandbox.sql_server.results import SqlError, SqlType

TICKS_AT_UNIX_EPOCH = 621_355_968_000_000_000
"""100 ns ticks from 0001-01-01 to 1970-01-01."""

ERROR_MARK = "\u241b"
"""Delimits the error number in errors that translated SQL raises with DuckDB's `error()`."""


class _NotConstant:
    """Marks an expression whose value is known only when it runs."""


NOT_CONSTANT = _NotConstant()


@dataclass(frozen=True, slots=True)
class TypedSql:
    """An expression in DuckDB SQL with its SQL Server type.

    `constant` is its value if known at translation; `in_ticks` marks a time(7) or datetime2(7)
    held as 100 ns ticks; `is_json` marks JSON, which FOR JSON does not quote.
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
        """Whether its value is known at translation."""
        return self.constant is not NOT_CONSTANT


UNTYPED_NULL = TypedSql("NULL", INT, constant=None, is_untyped_null=True)


def quote(name: str) -> str:
    """Quote an identifier for DuckDB."""
    return '"' + name.replace('"', '""') + '"'


def string_literal(text: str) -> str:
    """Quote a string for DuckDB."""
    return "'" + text.replace("'", "''") + "'"


def error_sql(number: int, message: str, details: str = "''", severity: int = 16) -> str:
    """SQL that raises this error; `details` is SQL for the text in place of `{}`."""
    before, mark, after = message.partition("{}")
    head = string_literal(f"{ERROR_MARK}{number}.{severity}{ERROR_MARK}{before}")
    return f"error({head} || {details} || {string_literal(after)})" if mark else f"error({head})"


def failing_expression(problem: SqlError, sql_type: SqlType) -> TypedSql:
    """An expression that raises this error when it runs."""
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
    """The same date and time in 100 ns ticks."""
    if expr.in_ticks:
        return expr
    since = "TIME '00:00:00'" if expr.family == "time" else "TIMESTAMP '0001-01-01'"
    sql = f"(date_diff('microsecond', {since}, {expr.sql}) * 10)"
    return replace(expr, sql=sql, in_ticks=True)
