"""The rows of `numbered_rows` in a table, so that a query can select a range of them.

Run as a program with `ROWS`, it prints its port and serves until stdin closes.
"""

from __future__ import annotations

import sys

from sandbox.sql_server.engine import DuckDBEngine
from sandbox.sql_server.server import SqlServer
from tests.reliability.numbered_rows import row_of

QUERY = "SELECT userId, number, text, amount FROM numbered"


def main(rows: int) -> None:
    """Print the port and serve until stdin closes."""
    engine = DuckDBEngine()
    engine.create_database("shop")
    engine.run(
        "shop",
        "CREATE TABLE numbered (userId int, number int, text nvarchar(40), amount decimal(12,2))",
    )
    engine.load("shop", "numbered", map(row_of, range(rows)))
    with SqlServer(engine) as server:
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
