"""A session with SQL Server that yields Arrow record batches, over either PEP 249 driver.

A `Driver` holds what differs between mssql-python and pyodbc; rows and types are the same. The
drivers' exceptions are mapped to ServerError here.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from tap_mssql_query.errors import ConnectionFailed, QueryFailed
from tap_mssql_query.mssql.error_messages import error_number, safe_message, sqlstate_of
from tap_mssql_query.mssql.timeouts import PendingCall, call_with_timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from tap_mssql_query.sql.select_only import SelectQuery

APPLICATION_NAME = "tap-mssql-query"
"""The program name of the session in sys.dm_exec_sessions."""

_FOR_JSON_OR_XML = ("JSON_F52E2B61-18A1-11d1", "XML_F52E2B61-18A1-11d1")
"""How the name of the column begins that a query with FOR JSON or FOR XML at its end has."""
MAY_BE_INSTANT = {b"may_be": b"datetimeoffset"}
"""The metadata of a field of text whose column may have another type: the driver does not tell."""
_CONNECTION_LOST = "08S01"
_GRACE_SECONDS = 2.0
"""Added to the driver's own timeouts, whose errors are more specific."""
_STATEMENT_TIMEOUT_SECONDS = 60.0
NO_CONNECTION = "08001"
"""The SQLSTATE of a connection that could not be opened."""
_PATIENCE_SECONDS = 1.0
"""How long a login may take before the network is asked what is in its way."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Driver:
    """What differs between the drivers.

    `connect` opens a PEP 249 connection with autocommit off, given the connection string and the
    timeouts in seconds for the login and for a query (0: none); `errors` are the exceptions that
    the driver raises; `explain` returns an exception's SQLSTATE, SQL Server's
    number (None if it is not known) and text; `blocks` reads a cursor's
    result set, beginning with an empty block that only has the columns.
    """

    connect: Callable[[str, int, int], Any]
    errors: tuple[type[Exception], ...]
    explain: Callable[[Exception], tuple[str, int | None, str]]
    blocks: Callable[[Any], Iterator[pa.RecordBatch]]


class Session:
    """One connection, which never commits.

    Attributes:
        row_timeout_seconds: how long to wait for rows; None: without limit. The driver's own
            timeout covers only a response that does not begin.

    Raises ConnectionFailed if it cannot be opened. `find_obstacle` says why no connection is
    possible, None if one is; it is called only if the login takes long.
    """

    def __init__(
        self,
        driver: Driver,
        connection_string: str,
        *,
        login_timeout_seconds: int,
        query_timeout_seconds: int,
        find_obstacle: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._driver = driver
        self.row_timeout_seconds = (
            query_timeout_seconds + _GRACE_SECONDS if query_timeout_seconds else None
        )
        self._is_busy = False
        try:
            self._connection = _wait_for_login(
                PendingCall(
                    lambda: driver.connect(
                        connection_string, login_timeout_seconds, query_timeout_seconds
                    )
                ),
                login_timeout_seconds + _GRACE_SECONDS,
                find_obstacle,
            )
        except driver.errors as error:
            raise self._server_error(ConnectionFailed, error) from error
        except TimeoutError as error:
            message = "The server went silent during the login."
            raise ConnectionFailed(message, sqlstate="HYT00") from error

    def fetch_all(
        self, query: str | SelectQuery, *, timeout_seconds: float = _STATEMENT_TIMEOUT_SECONDS
    ) -> list[Sequence[Any]]:
        """All rows of a small result. Text of a user must be a SelectQuery. Raises QueryFailed.

        After a timeout the session is of no use: the statement may still be running.
        """
        sql = query if isinstance(query, str) else query.sql
        return self._run_short(sql, _take_rows, timeout_seconds)

    def run(self, sql: str) -> None:
        """Run a statement that returns no rows. Raises QueryFailed."""
        self._run_short(sql, lambda _: None, _STATEMENT_TIMEOUT_SECONDS)

    def _run_short(self, sql: str, take: Callable[[Any], _T], seconds: float) -> _T:
        """Run a short statement with a timeout."""

        def execute() -> _T:
            try:
                with self._cursor() as cursor:
                    cursor.execute(sql)
                    return take(cursor)
            finally:
                self._is_busy = False

        self._is_busy = True
        try:
            return call_with_timeout(execute, seconds)
        except TimeoutError as error:  # the statement is still running
            raise QueryFailed(f"The server did not respond within {seconds:.0f} s.") from error

    def read(self, query: SelectQuery, *, limit: int = 0) -> Iterator[pa.RecordBatch]:
        """Run a query; the first block is empty and only has the columns. Raises QueryFailed.

        With a `limit`, the server itself stops after so many rows: no further one is read or sent.
        An iteration that ends without an error has read the last row and the rest of the response.
        """
        with self._cursor() as cursor:
            self._is_busy = True
            try:
                cursor.execute(f"SET ROWCOUNT {limit}; {query.sql}" if limit else query.sql)
                if not _skip_messages(cursor):
                    raise QueryFailed("The query returned no columns; it must be a SELECT.")
                rows, name = 0, cursor.description[0][0]
                for block in self._driver.blocks(cursor):
                    rows += block.num_rows
                    yield block
                # An error after the last row is raised only when the rest is drained.
                while cursor.nextset():
                    pass
            finally:
                self._is_busy = False
            cursor.execute("SELECT @@ROWCOUNT")
            if not limit:
                self._check_count(rows, cursor.fetchone()[0], name)

    @staticmethod
    def _check_count(rows: int, total: int, first_column: str) -> None:
        """Compare the rows of a result with the server's own count. Raises QueryFailed.

        A driver may report the end of a result where the connection was lost between two rows, or
        where the server gave up without a word: a DONE token with the error bit alone.
        """
        is_text = first_column.startswith(_FOR_JSON_OR_XML)  # one text, in as many rows as it fills
        if rows != total and not is_text:
            raise QueryFailed(
                f"The result ended early: {rows} of {total} rows arrived. The connection was lost, "
                "or the server ended the statement.",
                sqlstate=_CONNECTION_LOST,
            )

    def close(self) -> None:
        """Roll back and disconnect; never raises.

        Does nothing while a statement is running, which would block it: the connection then ends
        with the process.
        """
        if self._is_busy:
            return
        with contextlib.suppress(TimeoutError):
            call_with_timeout(self._end, _GRACE_SECONDS)

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
        sqlstate, number, text = self._driver.explain(error)
        number = number or error_number(text)
        return kind(
            safe_message(text, number), number=number, sqlstate=sqlstate_of(text) or sqlstate
        )


def _skip_messages(cursor: Any) -> bool:
    """Go on to the first result with columns, past what the server prints; False if there is none.

    A trigger of the login may print, and so may the server's own procedures.
    """
    while cursor.description is None:
        if not cursor.nextset():
            return False
    return True


def _take_rows(cursor: Any) -> list[Sequence[Any]]:
    return [tuple(row) for row in cursor.fetchall()] if _skip_messages(cursor) else []


def _wait_for_login(
    login: PendingCall[_T], seconds: float, find_obstacle: Callable[[], str | None]
) -> _T:
    """The connection. Raises TimeoutError, what the driver raises, or ConnectionFailed.

    The driver tries a closed port and an unknown host again until its timeout.
    """
    try:
        return login.result(_PATIENCE_SECONDS)
    except TimeoutError:
        if obstacle := find_obstacle():
            raise ConnectionFailed(obstacle, sqlstate=NO_CONNECTION) from None
    return login.result(seconds - _PATIENCE_SECONDS)
