"""Reads a query's rows with pyodbc's fetchmany and discards them."""

from __future__ import annotations

import sys

from benchmarks.baselines.odbc_connection import connect_odbc
from benchmarks.baselines.settings import read_settings

BATCH_ROWS = 8192


def main(path: str) -> None:
    """Print the number of rows."""
    settings, query = read_settings(path)
    cursor = connect_odbc(settings).execute(query)
    rows = 0
    while batch := cursor.fetchmany(BATCH_ROWS):
        rows += len(batch)
    print(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
