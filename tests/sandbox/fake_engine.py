"""A fake engine for protocol tests: it returns a given result for each SQL text."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sandbox.sql_server.results import Column, Result, ResultSet, RowCount, SqlError, SqlType

ResultsBySql = Mapping[str, Callable[[], Iterator[Result]]]
PASSWORD = "Sandbox-1"


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[Any]]
) -> Callable[[], Iterator[Result]]:
    """A function that returns one result set."""
    return lambda: iter([ResultSet(columns, iter(rows))])


def int_column(name: str = "n") -> Column:
    """An int column."""
    return Column(name, SqlType("int"))


def counting(stop: int) -> Callable[[], Iterator[Result]]:
    """A function that returns the numbers from 0."""
    return lambda: iter([ResultSet([int_column()], iter([value] for value in range(stop)))])


class FakeSession:
    """One login's session; it records its calls."""

    def __init__(self, database: str, results_by_sql: ResultsBySql) -> None:
        self.database = database
        self.results_by_sql = results_by_sql
        self.calls: list[tuple[Any, ...]] = []
        self.cancelled = threading.Event()
        self.closed = threading.Event()

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[Result]:
        """Return the text's results; USE changes the database, SET does nothing."""
        self.calls.append(("execute", sql.strip(), dict(parameters or {})))
        self.cancelled.clear()
        words = sql.split()
        if words[0].upper() == "USE":
            self.database = words[1]
        if words[0].upper() in ("USE", "SET"):
            return iter([RowCount()])
        return self._results(sql.strip())

    def _results(self, sql: str) -> Iterator[Result]:
        if sql not in self.results_by_sql:
            raise SqlError(208, f"Invalid object name '{sql}'.")
        return self.results_by_sql[sql]()

    def describe(self, sql: str, parameters: str = "") -> Sequence[Column]:
        """The columns of the first result set."""
        self.calls.append(("describe", sql, parameters))
        first = next(self._results(sql.strip()))
        return first.columns if isinstance(first, ResultSet) else []

    def begin(self) -> None:
        """Record the call."""
        self.calls.append(("begin",))

    def commit(self) -> None:
        """Record the call."""
        self.calls.append(("commit",))

    def rollback(self) -> None:
        """Record the call."""
        self.calls.append(("rollback",))

    def cancel(self) -> None:
        """Record the call."""
        self.cancelled.set()

    def close(self) -> None:
        """Record the call."""
        self.closed.set()


class FakeEngine:
    """Knows the logins `sa` and `reader`, and the databases `shop` and `other`."""

    def __init__(self, results_by_sql: ResultsBySql | None = None) -> None:
        self.results_by_sql: dict[str, Callable[[], Iterator[Result]]] = dict(results_by_sql or {})
        self.sessions: list[FakeSession] = []

    def login(self, username: str, password: str, database: str) -> FakeSession:
        """Open a session as SQL Server would."""
        if username not in ("sa", "reader") or password != PASSWORD:
            raise SqlError(18456, f"Login failed for user '{username}'.", severity=14)
        if database not in ("", "shop", "other"):
            message = f'Cannot open database "{database}" requested by the login. The login failed.'
            raise SqlError(4060, message, severity=11)
        session = FakeSession(database or "shop", self.results_by_sql)
        self.sessions.append(session)
        return session
