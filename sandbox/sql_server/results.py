"""The contract between engine and protocol: columns, rows, counts and errors as plain values.

T-SQL (``engine``) and TDS (the other packages) both import this module, and neither imports
the other.

Values in a row are, by SQL Server type:

================================================  =================================================
type                                              Python value (None is NULL)
================================================  =================================================
tinyint smallint int bigint                       int
bit                                               bool
decimal numeric money smallmoney                  decimal.Decimal
float real                                        float
date                                              datetime.date
time                                              datetime.time, or int: 100 ns ticks of the day
datetime smalldatetime datetime2                  naive datetime.datetime, or for datetime2 also
                                                  int: 100 ns ticks since 0001-01-01
datetimeoffset                                    aware datetime.datetime
char varchar text nchar nvarchar ntext xml        str (may hold lone surrogates in the n-types);
                                                  char and nchar arrive padded to their length
binary varbinary image timestamp (rowversion)     bytes
uniqueidentifier                                  uuid.UUID
sql_variant                                       any of the above
================================================  =================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class SqlType:
    """A SQL Server type as named in `sys.types`.

    `length` counts characters of char types and bytes of binary types; None means (max).
    `scale` is the number of fractional digits, of seconds for time types. `collation` is one of
    `data_types/collations.py`, for text; empty is the server's.
    """

    name: str
    length: int | None = 0
    precision: int = 0
    scale: int = 0
    collation: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a result set; `name` is empty for an expression without an alias."""

    name: str
    type: SqlType
    nullable: bool = True
    identity: bool = False


@dataclass(frozen=True, slots=True)
class ResultSet:
    """Columns and a lazy stream of rows; iterating may raise `SqlError`."""

    columns: Sequence[Column]
    rows: Iterator[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class RowCount:
    """The end of a statement without a result set; `count` is None where SQL Server sends none."""

    count: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """An informational message (severity below 11), such as PRINT's."""

    number: int
    text: str
    state: int = 1
    severity: int = 0


class SqlError(Exception):
    """An error with SQL Server's number, state and class (severity).

    If raised, it ends the batch; if yielded as a result, the batch continues (as with RAISERROR).
    Severity 20 and above ends the connection.
    """

    def __init__(
        self, number: int, message: str, *, state: int = 1, severity: int = 16, line: int = 1
    ) -> None:
        super().__init__(message)
        self.number = number
        self.message = message
        self.state = state
        self.severity = severity
        self.line = line


Result = ResultSet | RowCount | Message | SqlError


class EngineSession(Protocol):
    """A login's session in a database, which a TDS connection drives."""

    @property
    def database(self) -> str:
        """The current database."""

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[Result]:
        """Run a T-SQL batch; `parameters` are `@name` → value. Results are produced lazily."""

    def describe(self, sql: str, parameters: str = "") -> Sequence[Column]:
        """Columns of the first result set, without running it. Raises SqlError."""

    def begin(self) -> None:
        """Begin a transaction (transaction-manager request)."""

    def commit(self) -> None:
        """Commit it."""

    def rollback(self) -> None:
        """Roll it back."""

    def cancel(self) -> None:
        """Cancel the running statement; called from another thread (ATTENTION)."""

    def close(self) -> None:
        """End the session: roll back and release its application locks."""


class Engine(Protocol):
    """The part of a SQL engine that the server uses."""

    def login(self, username: str, password: str, database: str) -> EngineSession:
        """Open a session. Raises SqlError 18456 (credentials) or 4060 (database)."""
