"""A login's session, which the protocol drives."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sandbox.sql_server.engine.execution.describe import describe_first
from sandbox.sql_server.engine.execution.interpreter import execute_batch
from sandbox.sql_server.engine.execution.session_state import SessionState
from sandbox.sql_server.engine.execution.transactions import Transaction
from sandbox.sql_server.engine.values.literals import literal
from sandbox.sql_server.engine.values.surrogates import encode_surrogates
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sandbox.sql_server.engine.catalog.instance import Instance
    from sandbox.sql_server.engine.catalog.permissions import Login
    from sandbox.sql_server.engine.catalog.schema_objects import Database
    from sandbox.sql_server.engine.values.typed_sql import TypedSql
    from sandbox.sql_server.results import Column, Result


class DuckDBSession:
    """One session; any thread may use it, one at a time."""

    def __init__(self, instance: Instance, login: Login, database: Database) -> None:
        cursor = instance.cursor()
        self._state = SessionState(
            instance,
            login,
            database,
            instance.next_session_id(),
            cursor,
            Transaction(cursor),
        )

    @property
    def database(self) -> str:
        """The current database; USE changes it."""
        return self._state.database.name

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[Result]:
        """Run a batch; results are produced as they are consumed.

        Raises:
            SqlError: an error that ends the batch.
        """
        self._state.cancelled.clear()
        variables = {name.lower(): _parameter(value) for name, value in (parameters or {}).items()}
        return _guarded(execute_batch(self._state, encode_surrogates(sql), variables))

    def describe(self, sql: str, parameters: str = "") -> Sequence[Column]:
        """The columns of the first result set, without running the batch; empty if it has none.

        Raises:
            SqlError: as when it is run.
        """
        with _internal_errors():
            return describe_first(self._state, encode_surrogates(sql), parameters)

    def begin(self) -> None:
        """Begin a transaction."""
        self._state.transaction.begin()

    def commit(self) -> None:
        """Commit the transaction. Raises SqlError 3902 if there is none."""
        self._state.commit()

    def rollback(self) -> None:
        """Roll the transaction back. Raises SqlError 3903 if there is none."""
        self._state.rollback()

    def cancel(self) -> None:
        """Cancel the running statement; may be called from any thread."""
        self._state.cancelled.set()
        self._state.cursor.interrupt()
        self._state.instance.locks.wake()

    def close(self) -> None:
        """Roll back, release all locks, drop the temporary tables."""
        if self._state.transaction.depth:
            self._state.rollback()
        self._state.instance.locks.release_all(self._state.session_id)
        self._state.cursor.close()


def _guarded(results: Iterator[Result]) -> Iterator[Result]:
    with _internal_errors():
        yield from results


@contextmanager
def _internal_errors() -> Iterator[None]:
    """Report SQL that the translation cannot handle as an error of its batch."""
    try:
        yield
    except (ArithmeticError, AssertionError, AttributeError, LookupError) as error:
        raise _internal_error(error) from error
    except (RecursionError, TypeError, ValueError) as error:
        raise _internal_error(error) from error


def _internal_error(error: Exception) -> SqlError:
    message = f"Internal Query Processor Error: the sandbox cannot run this ({error!r})."
    return SqlError(8630, message)


def _parameter(value: Any) -> TypedSql:
    expr = literal(encode_surrogates(value) if isinstance(value, str) else value)
    return replace(expr, is_untyped_null=value is None)
