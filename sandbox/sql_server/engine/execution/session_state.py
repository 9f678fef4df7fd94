"""A session's state between batches, and its access to DuckDB."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb

from sandbox.sql_server.engine.catalog.execution_context import UNKNOWN_DATABASE, ExecutionContext
from sandbox.sql_server.engine.catalog.schema_objects import SchemaObjects
from sandbox.sql_server.engine.execution.duckdb_errors import sql_error
from sandbox.sql_server.engine.execution.row_reader import row_reader
from sandbox.sql_server.engine.translation.rules import new_translator
from sandbox.sql_server.engine.values.surrogates import decode_surrogates
from sandbox.sql_server.results import Column, ResultSet, SqlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sandbox.sql_server.engine.catalog.instance import Instance
    from sandbox.sql_server.engine.catalog.permissions import Login
    from sandbox.sql_server.engine.catalog.schema_objects import Database, Table
    from sandbox.sql_server.engine.execution.transactions import Transaction
    from sandbox.sql_server.engine.translation.name_scopes import Field, Query
    from sandbox.sql_server.engine.translation.translator import Translator
    from sandbox.sql_server.engine.values.typed_sql import TypedSql

_ROWS_AT_ONCE = 2048
_CONSTANTS = {
    "FETCH_STATUS": -1,
    "NESTLEVEL": 0,
    "DATEFIRST": 7,
    "MAX_PRECISION": 38,
    "TEXTSIZE": 2_147_483_647,
    "OPTIONS": 5496,
}


@dataclass(slots=True)
class SessionState:
    """One session; `cursor` is its own DuckDB connection."""

    instance: Instance
    login: Login
    database: Database
    session_id: int
    cursor: duckdb.DuckDBPyConnection
    transaction: Transaction
    temporary: SchemaObjects = field(default_factory=SchemaObjects)
    cancelled: threading.Event = field(default_factory=threading.Event)
    row_count: int = 0
    error: int = 0
    last_identity: int | None = None
    lock_timeout_ms: int = -1
    counts_rows: bool = True
    has_implicit_transactions: bool = False
    explicit_identity: str = ""
    caught_error: SqlError | None = None

    def use(self, name: str) -> None:
        """Change the current database.

        Raises:
            SqlError: 911, unknown database.
        """
        database = self.instance.databases.get(name.lower())
        if database is None:
            raise SqlError(911, UNKNOWN_DATABASE.format(name))
        self.database = database

    def translator(
        self, variables: Mapping[str, TypedSql], *, describes_only: bool = False
    ) -> Translator:
        """A translator for one statement, which sees a single current time."""
        return new_translator(
            ExecutionContext(
                database=self.database.name,
                login=self.login.name,
                permissions=self.login.permissions,
                session_id=self.session_id,
                now=self.instance.clock(),
                variables=variables,
                global_variables=self._global_variables(),
                databases=self.instance.databases,
                temporary=self.temporary,
                locks=self.instance.locks,
                describes_only=describes_only,
                caught_error=self.caught_error,
                last_identity=self.last_identity,
            )
        )

    def _global_variables(self) -> Mapping[str, int]:
        return {
            **_CONSTANTS,
            "ROWCOUNT": self.row_count,
            "ERROR": self.error,
            "TRANCOUNT": self.transaction.depth,
            "SPID": self.session_id,
            "LOCK_TIMEOUT": self.lock_timeout_ms,
        }

    def result_set(self, query: Query) -> ResultSet:
        """Run a query; rows are fetched as they are consumed.

        Raises:
            SqlError: DuckDB rejects the query; run-time errors are raised by the rows.
        """
        columns = self.columns(query.fields)
        try:
            self._execute(query.sql)
        except duckdb.Error as error:
            problem = sql_error(error)
            if isinstance(error, _ERRORS_OF_TRANSLATION):
                raise problem from error
            return ResultSet(columns, _failing(problem))
        return ResultSet(columns, self._rows(query.fields))

    def columns(self, fields: Sequence[Field]) -> list[Column]:
        """The fields as result columns."""
        return [
            Column(decode_surrogates(f.name), f.type, nullable=f.nullable, identity=f.is_identity)
            for f in fields
        ]

    def _execute(self, sql: str) -> None:
        if self.cancelled.is_set():
            raise cancelled_error()
        self.cursor.execute(sql)

    def _rows(self, fields: Sequence[Field]) -> Iterator[Sequence[Any]]:
        read = row_reader(fields)
        self.row_count = 0
        try:
            while chunk := self.cursor.fetchmany(_ROWS_AT_ONCE):
                self.row_count += len(chunk)
                yield from map(read, chunk) if read else chunk
        except duckdb.Error as error:
            raise sql_error(error) from error

    def fetch(
        self, sql: str, fields: Sequence[Field], table: Table | None = None, database: str = ""
    ) -> list[Sequence[Any]]:
        """All rows of a small query, or of a statement that changes `table` and returns rows.

        Raises:
            SqlError: the statement fails.
        """
        try:
            self._execute(sql)
            rows = self.cursor.fetchall()
        except duckdb.Error as error:
            raise sql_error(error, table, database) from error
        read = row_reader(fields) or tuple
        return [read(row) for row in rows]

    def write(self, sql: str, table: Table | None = None, database: str = "") -> int:
        """Run a statement that changes data; returns the number of rows.

        Raises:
            SqlError: the statement fails.
        """
        try:
            self.transaction.prepare_write()
            self._execute(sql)
            row = self.cursor.fetchone()
        except duckdb.Error as error:
            raise sql_error(error, table, database) from error
        return int(row[0]) if row and isinstance(row[0], int) else 0

    def commit(self) -> None:
        """Commit, and release the transaction's locks.

        Raises:
            SqlError: 3902, there is no transaction.
        """
        self.transaction.commit()
        self._release_locks()

    def rollback(self) -> None:
        """Roll back, and release the transaction's locks.

        Raises:
            SqlError: 3903, there is no transaction.
        """
        self.transaction.rollback()
        self._release_locks()

    def _release_locks(self) -> None:
        if not self.transaction.depth:
            self.instance.locks.release_all(self.session_id, only_of_transaction=True)

    def change_catalog(self, change: Callable[[], Callable[[], None]]) -> None:
        """Change the catalog; a ROLLBACK undoes it."""
        self.transaction.remember(change())


_ERRORS_OF_TRANSLATION = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ParserException,
    duckdb.NotImplementedException,
)


def cancelled_error() -> SqlError:
    """The error of a statement that the client cancelled."""
    return SqlError(3617, "The statement was cancelled.", severity=11)


def _failing(problem: SqlError) -> Iterator[Sequence[Any]]:
    raise problem
    yield ()
