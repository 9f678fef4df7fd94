"""An engine for tests of the protocol: it answers each text with the results it was given."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sandbox.sql_server.results import Column, Result, ResultSet, RowCount, SqlError, SqlType

Answers = Mapping[str, Callable[[], Iterator[Result]]]
PASSWORD = "Sandbox-1"


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[Any]]
) -> Callable[[], Iterator[Result]]:
    """An answer with one result set."""
    return lambda: iter([ResultSet(columns, iter(rows))])


def int_column(name: str = "n") -> Column:
    """A column for numbers."""
    return Column(name, SqlType("int"))


def counting(stop: int) -> Callable[[], Iterator[Result]]:
    """An answer with the numbers from 0."""
    return lambda: iter([ResultSet([int_column()], iter([value] for value in range(stop)))])


class FakeSession:
    """One login; remembers what was asked of it."""

    def __init__(self, database: str, answers: Answers) -> None:
        self.database = database
        self.answers = answers
        self.calls: list[tuple[Any, ...]] = []
        self.cancelled = threading.Event()
        self.closed = threading.Event()

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[Result]:
        """Answer from the table of answers; USE changes the database, SET does nothing."""
        self.calls.append(("execute", sql.strip(), dict(parameters or {})))
        self.cancelled.clear()
        words = sql.split()
        if words[0].upper() == "USE":
            self.database = words[1]
        if words[0].upper() in ("USE", "SET"):
            return iter([RowCount()])
        return self._answer(sql.strip())

    def _answer(self, sql: str) -> Iterator[Result]:
        if sql not in self.answers:
            raise SqlError(208, f"Invalid object name '{sql}'.")
        return self.answers[sql]()

    def describe(self, sql: str, parameters: str = "") -> Sequence[Column]:
        """The columns of the first result set."""
        self.calls.append(("describe", sql, parameters))
        first = next(self._answer(sql.strip()))
        return first.columns if isinstance(first, ResultSet) else []

    def begin(self) -> None:
        """Remember it."""
        self.calls.append(("begin",))

    def commit(self) -> None:
        """Remember it."""
        self.calls.append(("commit",))

    def rollback(self) -> None:
        """Remember it."""
        self.calls.append(("rollback",))

    def cancel(self) -> None:
        """Remember it."""
        self.cancelled.set()

    def close(self) -> None:
        """Remember it."""
        self.closed.set()


class FakeEngine:
    """Knows the users `sa` and `reader`, and the databases `shop` and `other`."""

    def __init__(self, answers: Answers | None = None) -> None:
        self.answers: dict[str, Callable[[], Iterator[Result]]] = dict(answers or {})
        self.sessions: list[FakeSession] = []

    def login(self, username: str, password: str, database: str) -> FakeSession:
        """Open a session as SQL Server would."""
        if username not in ("sa", "reader") or password != PASSWORD:
            raise SqlError(18456, f"Login failed for user '{username}'.", severity=14)
        if database not in ("", "shop", "other"):
            message = f'Cannot open database "{database}" requested by the login. The login failed.'
            raise SqlError(4060, message, severity=11)
        session = FakeSession(database or "shop", self.answers)
        self.sessions.append(session)
        return session
