"""Rows by the million, known by their number alone; a SQL Server that makes them as it sends them.

Run as a program it serves until stdin closes, and prints its port: `SYNCS ROWS_OF_EACH`.
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

PEOPLE = 1_000
PASSWORD = "Sandbox-1"
_ROWS_AT_ONCE = 1_000
_COLUMNS = (
    Column("userId", SqlType("int")),
    Column("number", SqlType("int")),
    Column("text", SqlType("nvarchar", 40)),
    Column("amount", SqlType("decimal", precision=12, scale=2)),
)


def query_of(sync: int) -> str:
    """The query whose result are the rows of a sync."""
    return f"SELECT userId, number, text, amount FROM numbered_{sync}"


def person_of(number: int) -> str:
    """Whom a row is about."""
    return str(number % PEOPLE)


def traits_of(number: int) -> dict[str, Any]:
    """What a row's call says."""
    return {"number": number, "text": f"Zoë {number * 7919}", "amount": number / 100}


def row_of(number: int) -> tuple[Any, ...]:
    """The row itself."""
    return (number % PEOPLE, number, f"Zoë {number * 7919}", Decimal(number) / 100)


@dataclass(frozen=True, slots=True)
class _Numbered(CannedResult):
    """The rows from `first` on, made while they are sent."""

    first: int = 0

    def replay(self) -> Iterator[bytes]:
        """All ROW tokens."""
        encode = row_encoder(self.columns)
        numbers = range(self.first, self.first + self.row_count)
        for start in range(0, len(numbers), _ROWS_AT_ONCE):
            some = numbers[start : start + _ROWS_AT_ONCE]
            yield b"".join([encode(row_of(number)) for number in some])


def main(syncs: int, rows_of_each: int) -> None:
    """Serve until stdin closes; prints the port."""
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
