"""A session with SQL Server that yields Arrow blocks, over either of two PEP 249 drivers.

`arrow` (mssql-python) and `odbc` (pyodbc) say what differs, as a `Driver`; same rows, same types.
The drivers' exceptions become ServerError here, where they enter.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from tap_mssql_query.errors import ConnectionFailed, QueryFailed
from tap_mssql_query.mssql.error_messages import message_of, number_of, sqlstate_of
from tap_mssql_query.mssql.timeouts import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

APPLICATION_NAME = "tap-mssql-query"
"""How the server's list of sessions shows the tap."""

_GRACE_SECONDS = 2.0
"""After a time limit of the driver's: its own error says more, where it has one."""
_SMALL_ANSWER_SECONDS = 60.0
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Driver:
    """What differs between the drivers.

    `connect` opens a PEP 249 connection with autocommit off, given the connection string and the
    limits in seconds for the login and for a query (0: none); `errors` are the exceptions it
    raises; `explain` gives an exception's SQLSTATE and text; `blocks` reads a cursor's result
    set, the first block being empty and only showing the columns.
    """

    connect: Callable[[str, int, int], Any]
    errors: tuple[type[Exception], ...]
    explain: Callable[[Exception], tuple[str, str]]
    blocks: Callable[[Any], Iterator[pa.RecordBatch]]


class Session:
    """One connection. Nothing it does is ever committed.

    Attributes:
        rows_seconds: how long to wait for rows; None is for ever. The driver's own limit is only
            for an answer that does not begin.

    Raises ConnectionFailed when it cannot be opened.
    """

    def __init__(
        self,
        driver: Driver,
        connection_string: str,
        *,
        login_timeout_seconds: int,
        query_timeout_seconds: int,
    ) -> None:
        self._driver = driver
        self.rows_seconds = (
            query_timeout_seconds + _GRACE_SECONDS if query_timeout_seconds else None
        )
        self._is_reading = False
        try:
            self._connection = wait_for(
                lambda: driver.connect(
                    connection_string, login_timeout_seconds, query_timeout_seconds
                ),
                login_timeout_seconds + _GRACE_SECONDS,
            )
        except driver.errors as error:
            raise self._server_error(ConnectionFailed, error) from error
        except TimeoutError as error:
            message = "The server went silent during the login."
            raise ConnectionFailed(message, sqlstate="HYT00") from error

    def fetch_all(self, sql: str) -> list[Sequence[Any]]:
        """All rows of a small result. Raises QueryFailed."""
        return self._ask(sql, lambda cursor: [tuple(row) for row in cursor.fetchall()])

    def run(self, sql: str) -> None:
        """Run a statement that returns no rows. Raises QueryFailed."""
        self._ask(sql, lambda _: None)

    def _ask(self, sql: str, take: Callable[[Any], _T]) -> _T:
        """Run a small statement, which is answered soon or not at all."""

        def ask() -> _T:
            with self._cursor() as cursor:
                cursor.execute(sql)
                return take(cursor)

        try:
            return wait_for(ask, _SMALL_ANSWER_SECONDS)
        except TimeoutError as error:
            self._is_reading = True  # it still does
            message = f"The server did not answer within {_SMALL_ANSWER_SECONDS:g} s."
            raise QueryFailed(message) from error

    def read(self, sql: str) -> Iterator[pa.RecordBatch]:
        """Run a query; the first block is empty and only shows the columns. Raises QueryFailed.

        An iteration that ends without an error has read the last row and all that the server had
        to say after it.
        """
        with self._cursor() as cursor:
            self._is_reading = True
            try:
                cursor.execute(sql)
                while cursor.description is None:
                    if not cursor.nextset():
                        raise QueryFailed("The query returned no columns; it must be a SELECT.")
                yield from self._driver.blocks(cursor)
                # An error after the last row shows only when the rest is drained.
                while cursor.nextset():
                    pass
            finally:
                self._is_reading = False
            # mssql-python takes a connection that ends between two rows for the end of the result;
            # only the next statement on it fails.
            cursor.execute("SELECT 1")

    def close(self) -> None:
        """Roll back and disconnect; never raises.

        A statement that still runs would keep it waiting; then the process's end disconnects.
        """
        if self._is_reading:
            return
        with contextlib.suppress(TimeoutError):
            wait_for(self._end, _GRACE_SECONDS)

    def _end(self) -> None:
        for end in (self._connection.rollback, self._connection.close):
            with contextlib.suppress(*self._driver.errors):
                end()

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[Any]:
        try:
            with contextlib.closing(self._connection.cursor()) as cursor:
                yield cursor
        except self._driver.errors as error:
            raise self._server_error(QueryFailed, error) from error

    def _server_error(
        self, kind: type[ConnectionFailed | QueryFailed], error: Exception
    ) -> ConnectionFailed | QueryFailed:
        sqlstate, text = self._driver.explain(error)
        number = number_of(text)
        return kind(message_of(text, number), number=number, sqlstate=sqlstate_of(text) or sqlstate)
