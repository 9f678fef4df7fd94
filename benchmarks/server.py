"""The SQL Server to read from: the sandbox's in a separate process, or that of MSSQL_TEST_*."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from benchmarks.rows import fill_statement, table_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Sizes = frozenset[tuple[int, int]]
"""Sizes of results, as rows and columns."""

_PASSWORD = "Sandbox-1"


def running_server(sizes: Sizes) -> contextlib.AbstractContextManager[dict[str, Any]]:
    """A server with results of these sizes; yields the tap's settings that connect to it."""
    host = os.environ.get("MSSQL_TEST_HOST")
    return _real_server(host, sizes) if host else _sandbox(sizes)


def server_name() -> str:
    """The server's name in the results; never its address."""
    return "MSSQL_TEST_HOST" if os.environ.get("MSSQL_TEST_HOST") else "sandbox"


@contextlib.contextmanager
def _sandbox(sizes: Sizes) -> Iterator[dict[str, Any]]:
    wanted = [f"{rows}x{columns}" for rows, columns in sorted(sizes)]
    command = [sys.executable, "-m", "benchmarks.canned_server", *wanted]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        yield {
            "host": "127.0.0.1",
            "port": port,
            "database": "shop",
            "encrypt": "no",
            "username": "sa",
            "password": _PASSWORD,
        }
        # Popen closes stdin at the end of the block, which ends the server.


@contextlib.contextmanager
def _real_server(host: str, sizes: Sizes) -> Iterator[dict[str, Any]]:
    """Fill one table of each width with enough rows for all sizes; drop the tables at the end."""
    settings = {
        "host": host,
        "port": int(os.environ.get("MSSQL_TEST_PORT", "1433")),
        "database": os.environ.get("MSSQL_TEST_DATABASE", "tempdb"),
        "username": os.environ.get("MSSQL_TEST_USERNAME", "sa"),
        "password": os.environ["MSSQL_TEST_PASSWORD"],
        "trust_server_certificate": True,
    }
    largest: dict[int, int] = {}
    for rows, columns in sizes:
        largest[columns] = max(rows, largest.get(columns, 0))
    drops = [f"DROP TABLE IF EXISTS {table_name(columns)}" for columns in largest]
    fills = [fill_statement(rows, columns) for columns, rows in largest.items()]
    _run_all(settings, [*drops, *fills])
    try:
        yield settings
    finally:
        _run_all(settings, drops)


def _run_all(settings: dict[str, Any], statements: Iterable[str]) -> None:
    # Not at the top: this process's memory counts in the peak memory of its children.
    from benchmarks.baselines.odbc_connection import connect_odbc  # noqa: PLC0415

    with contextlib.closing(connect_odbc(settings)) as connection:
        for statement in statements:
            connection.execute(statement)
