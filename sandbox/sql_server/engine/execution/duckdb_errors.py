"""Maps DuckDB's errors to SQL Server's, with number, severity and message."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import duckdb

from sandbox.sql_server.engine.values.surrogates import decode_surrogates
from sandbox.sql_server.engine.values.typed_sql import ERROR_MARK
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sandbox.sql_server.engine.catalog.schema_objects import Table

_TYPES = {"INT8": "tinyint", "UINT8": "tinyint", "INT16": "smallint", "INT32": "int",
          "INT64": "bigint", "INT128": "numeric", "FLOAT": "real", "DOUBLE": "float",
          "BOOL": "bit"}  # fmt: skip
_RAISED = re.compile(f"[\\w ]*Error: {ERROR_MARK}(\\d+)\\.(\\d+){ERROR_MARK}(.*)", re.DOTALL)
_OVERFLOW = "Arithmetic overflow error converting {} to data type {}."

DEADLOCK = (
    "Transaction (Process ID {}) was deadlocked on lock resources with another process and has "
    "been chosen as the deadlock victim. Rerun the transaction."
)
CONTINUING = frozenset({220, 512, 515, 2627, 2628, 8115, 8134, 8152})
"""Errors after which SQL Server continues the batch."""


def sql_error(error: duckdb.Error, table: Table | None = None, database: str = "") -> SqlError:
    """The SQL Server error for DuckDB's; `table` is the one that was written to."""
    text = str(error)
    raised = _RAISED.match(text)
    if raised:
        message = decode_surrogates(raised[3].split("\n\nLINE 1:")[0])
        return SqlError(int(raised[1]), message, severity=int(raised[2]))
    if isinstance(error, duckdb.ConstraintException) and table is not None:
        return _constraint_error(text, table, database)
    for pattern, build in _PATTERNS:
        match = pattern.search(text)
        if match:
            return build(match)
    first_line = text.split("\n", 1)[0]
    return SqlError(8630, f"Internal Query Processor Error: {first_line}")


def _overflow(match: re.Match[str]) -> SqlError:
    name = match["type"]
    return SqlError(8115, _OVERFLOW.format("expression", _TYPES.get(name, "numeric")))


def _fixed(number: int, message: str, severity: int = 16) -> Callable[[re.Match[str]], SqlError]:
    return lambda _: SqlError(number, message, severity=severity)


def _ungrouped(match: re.Match[str]) -> SqlError:
    message = (
        f"Column '{match[1]}' is invalid in the select list because it is not contained in either "
        "an aggregate function or the GROUP BY clause."
    )
    return SqlError(8120, message)


def _failed_conversion(match: re.Match[str]) -> SqlError:
    target = _TYPES.get(match[2], match[2].lower())
    value = decode_surrogates(match[1])
    message = (
        f"Conversion failed when converting the varchar value '{value}' to data type {target}."
    )
    return SqlError(245, message)


_OUT_OF_CALENDAR = (
    r"(date|timestamp|interval).*(out of range|overflow)|"
    r"(out of range|overflow).*(date|timestamp|interval)"
)
_PATTERNS: Sequence[tuple[re.Pattern[str], Callable[[re.Match[str]], SqlError]]] = tuple(
    (re.compile(pattern, re.IGNORECASE), build)
    for pattern, build in (
        ("Division by zero", _fixed(8134, "Divide by zero error encountered.")),
        (r"Overflow in \w+ of (?P<type>\w+)", _overflow),
        (r"out of range for the destination type (?P<type>\w+)", _overflow),
        (r"type DECIMAL.*out of range", _fixed(8115, _OVERFLOW.format("numeric", "numeric"))),
        (r"Overflow in \w+ of DECIMAL", _fixed(8115, _OVERFLOW.format("numeric", "numeric"))),
        (r"Could not convert string '(.*)' to (\w+)", _failed_conversion),
        (r'column "([^"]*)" must appear in the GROUP BY', _ungrouped),
        (
            "More than one row returned by a subquery",
            _fixed(
                512,
                "Subquery returned more than 1 value. This is not permitted when the subquery "
                "follows =, !=, <, <= , >, >= or when the subquery is used as an expression.",
            ),
        ),
        (
            "WHERE clause cannot contain aggregates",
            _fixed(
                147,
                "An aggregate may not appear in the WHERE clause unless it is in a subquery "
                "contained in a HAVING clause or a select list, and the column being aggregated is "
                "an outer reference.",
                15,
            ),
        ),
        ("interrupt", _fixed(3617, "The statement was cancelled.", 11)),
        ("conflict", _fixed(1205, DEADLOCK.format(0), 13)),
        (
            "transaction is aborted",
            _fixed(
                3930,
                "The current transaction cannot be committed and cannot support operations that "
                "write to the log file. Roll back the transaction.",
            ),
        ),
        (
            _OUT_OF_CALENDAR,
            _fixed(517, "Adding a value to a 'datetime2' column caused an overflow."),
        ),
    )
)


def _constraint_error(text: str, table: Table, database: str) -> SqlError:
    missing = re.search(r'NOT NULL constraint failed: (?:.*\.)?"?([^".]+)"?$', text, re.MULTILINE)
    if missing:
        return null_error(missing[1], table, database)
    duplicate = re.search(r'Duplicate key "(.*)" violates (primary key|unique)', text, re.DOTALL)
    if duplicate is None:
        return SqlError(547, f"The statement conflicted with a constraint of '{table.name}'.")
    pairs = [pair.partition(": ") for pair in duplicate[1].split(", ")]
    key = table.keys.get(tuple(name.lower() for name, _, _ in pairs), "PK")
    kind = "PRIMARY KEY" if duplicate[2] == "primary key" else "UNIQUE KEY"
    values = ", ".join(decode_surrogates(value) for _, _, value in pairs)
    message = (
        f"Violation of {kind} constraint '{key}'. Cannot insert duplicate key in object "
        f"'{table.schema}.{table.name}'. The duplicate key value is ({values})."
    )
    return SqlError(2627, message, severity=14)


def null_error(column: str, table: Table, database: str, action: str = "INSERT") -> SqlError:
    """Error 515: NULL for a NOT NULL column."""
    message = (
        f"Cannot insert the value NULL into column '{column}', table "
        f"'{database}.{table.schema}.{table.name}'; column does not allow nulls. {action} fails."
    )
    return SqlError(515, message, state=2)
