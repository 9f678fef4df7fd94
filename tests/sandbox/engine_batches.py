"""Runs batches in the engine and collects their results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox.sql_server.results import ResultSet, SqlError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.sql_server.results import Column, EngineSession, SqlType

PASSWORD = "Sandbox-1"

Outcome = tuple[list["Column"], list[list[Any]]]


def results(
    session: EngineSession, sql: str, parameters: Mapping[str, Any] | None = None
) -> list[Any]:
    """Everything that a batch yields; a result set as its columns and rows."""
    return [
        (list(result.columns), [list(row) for row in result.rows])
        if isinstance(result, ResultSet)
        else result
        for result in session.execute(sql, parameters)
    ]


def tables(
    session: EngineSession, sql: str, parameters: Mapping[str, Any] | None = None
) -> list[list[list[Any]]]:
    """The rows of each result set."""
    return [r[1] for r in results(session, sql, parameters) if isinstance(r, tuple)]


def rows(
    session: EngineSession, sql: str, parameters: Mapping[str, Any] | None = None
) -> list[list[Any]]:
    """The rows of the last result set."""
    return tables(session, sql, parameters)[-1]


def row(session: EngineSession, sql: str) -> list[Any]:
    """The only row."""
    (only,) = rows(session, sql)
    return only


def types(session: EngineSession, sql: str) -> list[SqlType]:
    """The types of the first result set's columns, as described."""
    return [column.type for column in session.describe(sql)]


def error(
    session: EngineSession, sql: str, parameters: Mapping[str, Any] | None = None
) -> SqlError:
    """The first error of a batch, raised or yielded."""
    try:
        found = [r for r in results(session, sql, parameters) if isinstance(r, SqlError)]
    except SqlError as raised:
        return raised
    if not found:
        pytest.fail("the batch has no error")
    return found[0]
