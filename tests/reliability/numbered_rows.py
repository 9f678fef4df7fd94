"""Millions of rows that follow from their numbers; a SQL Server that makes them as it sends them.

Run as a program with `SYNCS ROWS_OF_EACH`, it prints its port and serves until stdin closes.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox.sql_server.canned import CannedResult
from sandbox.sql_server.engine import DuckDBEngine
from sandbox.sql_server.results import Column, SqlType
from sandbox.sql_server.server import SqlServer
from sandbox.sql_server.token_stream.rows import row_encoder

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYS = 1_000
PASSWORD = "Sandbox-1"
_ROWS_AT_ONCE = 1_000
_COLUMNS = (
    Column("userId", SqlType("int")),
    Column("number", SqlType("int")),
    Column("text", SqlType("nvarchar", 40)),
    Column("amount", SqlType("decimal", precision=12, scale=2)),
)


def query_of(sync: int) -> str:
    """The query that returns the rows of a sync."""
    return f"SELECT userId, number, text, amount FROM numbered_{sync}"


def user_id_of(number: int) -> str:
    """The userId of a row, its ordering key."""
    return str(number % KEYS)


def traits_of(number: int) -> dict[str, Any]:
    """The traits of a row's call."""
    return {"number": number, "text": f"Zoë {number * 7919}", "amount": number / 100}


def row_of(number: int) -> tuple[Any, ...]:
    """The columns of a row."""
    return (number % KEYS, number, f"Zoë {number * 7919}", Decimal(number) / 100)


@dataclass(frozen=True, slots=True)
class _Numbered(CannedResult):
    """The rows from `first`, made while they are sent."""

    first: int = 0

    def replay(self) -> Iterator[bytes]:
        """All ROW tokens."""
        encode = row_encoder(self.columns)
        numbers = range(self.first, self.first + self.row_count)
        for start in range(0, len(numbers), _ROWS_AT_ONCE):
            some = numbers[start : start + _ROWS_AT_ONCE]
            yield b"".join([encode(row_of(number)) for number in some])


def main(syncs: int, rows_of_each: int) -> None:
    """Print the port and serve until stdin closes."""
    engine = DuckDBEngine()
    engine.create_database("shop")
    with SqlServer(engine) as server:
        for sync in range(syncs):
            first = sync * rows_of_each
            server.canned[query_of(sync)] = _Numbered(_COLUMNS, (), rows_of_each, first=first)
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
