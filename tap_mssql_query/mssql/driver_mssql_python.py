"""The fast driver: mssql-python, which fills Arrow record batches in native code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import mssql_python
import mssql_python.ddbc_bindings
from mssql_python.cursor import Cursor

from tap_mssql_query.mssql.batch_size import BlockRows
from tap_mssql_query.mssql.session import APPLICATION_NAME, Driver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa


_RECORD = re.compile(r"\[\w{5}\] \((\d+)\)")
"""SQLSTATE and native number of a diagnostic record."""
_SQLSTATES = {
    "Serialization failure": "40001",
    "Invalid authorization specification": "28000",
}
"""Those that decide on a retry, by mssql-python's words for them."""


_diagnostics: Callable[[Any], list[tuple[str, str]]] = getattr(
    mssql_python.ddbc_bindings, "DDBCSQLGetAllDiagRecords", lambda _: []
)
"""The diagnostic records of a handle: identity and text."""


class _Cursor(Cursor):
    """Keeps SQL Server's number of an error, which is lost when the failed cursor is reset."""

    _number: int | None = None

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        self._number = None
        try:
            return super().execute(*args, **kwargs)
        except mssql_python.Error as error:
            error.number = self._number  # type: ignore[attr-defined]  # ours
            raise

    def _reset_cursor(self) -> None:
        if self.hstmt:
            for identity, text in _diagnostics(self.hstmt)[:1]:
                match = _RECORD.match(identity)
                self._number = int(match[1]) if match and "[SQL Server]" in text else None
        super()._reset_cursor()


class _Connection(mssql_python.Connection):
    """Sets the application name of the session, which mssql-python does not allow."""

    def cursor(self) -> Any:
        cursor = super().cursor()
        cursor.__class__ = _Cursor
        return cursor

    def _construct_connection_string(self, *args: Any, **kwargs: Any) -> Any:
        text, parameters = super()._construct_connection_string(*args, **kwargs)
        return text.replace("APP=MSSQL-Python", f"APP={APPLICATION_NAME}"), parameters


def _connect(connection_string: str, login_seconds: int, query_seconds: int) -> Any:
    mssql_python.pooling(enabled=False)
    connection = _Connection(connection_string, timeout=login_seconds)
    connection.timeout = query_seconds
    return connection


def _explain(error: Exception) -> tuple[str, int | None, str]:
    """mssql-python has the server's message in `ddbc_error`, and words instead of a SQLSTATE."""
    sqlstate = _SQLSTATES.get(getattr(error, "driver_error", ""), "")
    text = getattr(error, "ddbc_error", "") or str(error)
    return sqlstate, getattr(error, "number", None), text


def _blocks(cursor: Any) -> Iterator[pa.RecordBatch]:
    yield cursor.arrow_batch(0)
    sizes = BlockRows(cursor.description)
    rows = sizes.first
    while (block := cursor.arrow_batch(rows)).num_rows:
        rows = sizes.after(block)
        yield block
        del block  # while the next one is fetched


DRIVER = Driver(
    connect=_connect,
    # Its native layer raises RuntimeError for errors that it does not map.
    # Its Warning is no Error.
    errors=(mssql_python.Error, mssql_python.Warning, RuntimeError),
    explain=_explain,
    blocks=_blocks,
)
