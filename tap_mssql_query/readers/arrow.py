"""The fast driver: mssql-python, which fills Arrow blocks in native code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mssql_python

from tap_mssql_query.readers import BLOCK_ROWS, LOGIN_TIMEOUT_SECONDS, Driver

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa


def _connect(connection_string: str) -> Any:
    mssql_python.pooling(enabled=False)
    return mssql_python.connect(connection_string, timeout=LOGIN_TIMEOUT_SECONDS)


def _explain(error: Exception) -> tuple[str, str]:
    """mssql-python keeps the server's words in `ddbc_error` and gives no SQLSTATE."""
    return "", getattr(error, "ddbc_error", "") or str(error)


def _blocks(cursor: Any) -> Iterator[pa.RecordBatch]:
    yield cursor.arrow_batch(0)
    while (block := cursor.arrow_batch(BLOCK_ROWS)).num_rows:
        yield block


DRIVER = Driver(
    connect=_connect,
    # Its native layer raises RuntimeError where it does not map an error itself.
    errors=(mssql_python.Error, RuntimeError),
    explain=_explain,
    blocks=_blocks,
)
