"""A session's transaction: nested BEGINs, and the catalog changes that ROLLBACK undoes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import duckdb

from sandbox.sql_server.engine.execution.duckdb_errors import sql_error
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class Transaction:
    """The transaction of one connection.

    DuckDB's transaction begins with the first write: until then every read sees what other
    sessions have committed, as under READ COMMITTED.
    """

    cursor: duckdb.DuckDBPyConnection
    depth: int = 0
    _has_written: bool = False
    _undo: list[Callable[[], None]] = field(default_factory=list)

    def begin(self) -> None:
        """Begin a transaction, or nest one."""
        self.depth += 1

    def prepare_write(self) -> None:
        """Begin DuckDB's transaction, so that the next write can be rolled back."""
        if self.depth and not self._has_written:
            self.cursor.execute("BEGIN TRANSACTION")
            self._has_written = True

    def remember(self, undo: Callable[[], None]) -> None:
        """Register a function that ROLLBACK calls."""
        if self.depth:
            self._undo.append(undo)

    def commit(self) -> None:
        """Commit the innermost transaction; only the outermost makes the changes durable.

        Raises:
            SqlError: 3902, no transaction; or DuckDB cannot commit.
        """
        if not self.depth:
            message = "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION."
            raise SqlError(3902, message)
        self.depth -= 1
        if self.depth:
            return
        has_written, self._has_written = self._has_written, False
        undo, self._undo = self._undo, []
        if has_written:
            try:
                self.cursor.execute("COMMIT")
            except duckdb.Error as error:
                _run_backwards(undo)
                raise sql_error(error) from error

    def rollback(self) -> None:
        """Roll back all levels.

        Raises:
            SqlError: 3903, no transaction.
        """
        if not self.depth:
            message = "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION."
            raise SqlError(3903, message)
        self.depth = 0
        has_written, self._has_written = self._has_written, False
        undo, self._undo = self._undo, []
        if has_written:
            self.cursor.execute("ROLLBACK")
        _run_backwards(undo)


def _run_backwards(undo: list[Callable[[], None]]) -> None:
    for step in reversed(undo):
        step()
