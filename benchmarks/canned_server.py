"""The sandbox's SQL Server as a program; it serves results that are encoded once as TDS.

A separate process, since the memory of a parent process counts in its children's peak memory.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from math import gcd
from typing import Any
from uuid import UUID

from benchmarks.rows import NARROW, PARTITIONS, column_name, partitioned_query, query_for
from sandbox.sql_server.canned import CannedResult
from sandbox.sql_server.engine import DuckDBEngine
from sandbox.sql_server.results import Column, SqlType
from sandbox.sql_server.server import SqlServer
from tap_mssql_query.sql.key_range import split_range
from tap_mssql_query.sql.range_query import split_query
from tap_mssql_query.sql.select_only import SelectQuery

_MAX_DISTINCT_ROWS = 100_000
_TYPES = (
    SqlType("int"),
    *(SqlType("nvarchar", 100), SqlType("nvarchar", 100), SqlType("nvarchar", 100)),
    *(SqlType("varchar", 20), SqlType("varchar", 100)),
    *(SqlType("float"), SqlType("bit"), SqlType("decimal", precision=12, scale=2)),
    *(SqlType("datetime2", scale=3), SqlType("bigint"), SqlType("uniqueidentifier")),
)


def canned_rows(count: int, columns: int = NARROW) -> CannedResult:
    """A result of `count` rows, at most 100,000 of them distinct."""
    distinct = gcd(count, _MAX_DISTINCT_ROWS)
    return replace(_block(distinct, columns), repeat=count // distinct)


@cache
def _block(rows: int, columns: int) -> CannedResult:
    schema = [Column(column_name(index), _TYPES[index % len(_TYPES)]) for index in range(columns)]
    times = -(-columns // len(_TYPES))
    return CannedResult.build(
        schema, ((row_of(number) * times)[:columns] for number in range(rows))
    )


def row_of(number: int) -> tuple[Any, ...]:
    """The values of a row, equal to those of the SQL in `rows`."""
    return (
        *(number, "Order Completed", f"Zoë{number % 97}", "Müller"),
        *(f"+4930{1_000_000 + number}", "Berlin", number / 7, number % 2 == 1),
        Decimal(number) / 100,
        datetime(2026, 1, 2, 3, 4, number % 60, 123_000),  # noqa: DTZ001 - datetime2
        number * 1_000_003,
        UUID(f"00000000-0000-0000-0000-{100_000_000_000 + number}"),
    )


def _canned_partitions(rows: int) -> dict[str, CannedResult]:
    """The results of the queries of a partitioned read; none if the rows cannot be divided."""
    if rows % PARTITIONS:
        return {}
    range_query = split_query(SelectQuery(partitioned_query(rows)))
    columns = [Column(name, SqlType("bigint")) for name in ("least", "greatest", "rows_read")]
    partition = canned_rows(rows // PARTITIONS)
    extremes = CannedResult.build(columns, [(0, rows - 1, 0)])
    return {
        range_query.extremes_query("userId", counts=False).sql: extremes,
        **{
            range_query.where(key_range.condition("userId")).sql: partition
            for key_range in split_range(0, rows - 1, PARTITIONS)
        },
    }


def main(*sizes: str) -> None:
    """Print the port and serve results of these sizes, such as 1000x12, until stdin closes."""
    engine = DuckDBEngine()
    engine.create_database("shop")
    with SqlServer(engine) as server:
        for size in sizes:
            rows, columns = map(int, size.split("x"))
            server.canned[query_for(rows, columns)] = canned_rows(rows, columns)
        for rows in {int(size.split("x")[0]) for size in sizes if size.endswith(f"x{NARROW}")}:
            server.canned.update(_canned_partitions(rows))
        print(server.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
