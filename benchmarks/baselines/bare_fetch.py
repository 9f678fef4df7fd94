"""Reads a query's rows with mssql-python's Arrow batches and throws them away."""

from __future__ import annotations

import sys

import mssql_python

BATCH_ROWS = 8192


def main(connection_string: str, query: str) -> None:
    """Print how many rows came."""
    connection = mssql_python.connect(connection_string, autocommit=True)
    cursor = connection.cursor()
    cursor.execute(query)
    rows = 0
    while count := cursor.arrow_batch(BATCH_ROWS).num_rows:
        rows += count
    print(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
