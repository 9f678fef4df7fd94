"""The fast driver: mssql-python, which fills Arrow record batches in native code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mssql_python

from tap_mssql_query.mssql.batch_size import FIRST_BLOCK_ROWS, next_block_rows
from tap_mssql_query.mssql.session import APPLICATION_NAME, Driver

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa


class _Connection(mssql_python.Connection):
    """Sets the application name of the session, which mssql-python does not allow."""

    def _construct_connection_string(self, *args: Any, **kwargs: Any) -> Any:
        text, parameters = super()._construct_connection_string(*args, **kwargs)
        return text.replace("APP=MSSQL-Python", f"APP={APPLICATION_NAME}"), parameters


def _connect(connection_string: str, login_seconds: int, query_seconds: int) -> Any:
    mssql_python.pooling(enabled=False)
    connection = _Connection(connection_string, timeout=login_seconds)
    connection.timeout = query_seconds
    return connection


def _explain(error: Exception) -> tuple[str, str]:
    """mssql-python has the server's message in `ddbc_error`, and no SQLSTATE."""
    return "", getattr(error, "ddbc_error", "") or str(error)


def _blocks(cursor: Any) -> Iterator[pa.RecordBatch]:
    yield cursor.arrow_batch(0)
    rows = FIRST_BLOCK_ROWS
    while (block := cursor.arrow_batch(rows)).num_rows:
        rows = next_block_rows(block)
        yield block


DRIVER = Driver(
    connect=_connect,
    # Its native layer raises RuntimeError for errors that it does not map.
    errors=(mssql_python.Error, RuntimeError),
    explain=_explain,
    blocks=_blocks,
)
