"""Reads a query's rows with mssql-python's Arrow batches and discards them."""

from __future__ import annotations

import sys

import mssql_python

from benchmarks.baselines.settings import connection_string, read_settings

BATCH_ROWS = 8192


def main(path: str) -> None:
    """Print the number of rows."""
    settings, query = read_settings(path)
    connection = mssql_python.connect(connection_string(settings), autocommit=True)
    cursor = connection.cursor()
    cursor.execute(query)
    rows = 0
    while count := cursor.arrow_batch(BATCH_ROWS).num_rows:
        rows += count
    print(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
