"""The rows to measure, as SQL: 12 columns of common types, or 200 columns of the same types."""

from __future__ import annotations

NARROW, WIDE = 12, 200
PARTITIONS = 8
"""Of the partitioned sync."""

_EXPRESSIONS = {
    "userId": "CAST(n AS int)",
    "event": "CAST(N'Order Completed' AS nvarchar(100))",
    "fname": "CAST(CONCAT(N'Zoë', n % 97) AS nvarchar(100))",
    "lname": "CAST(N'Müller' AS nvarchar(100))",
    "phone": "CAST(CONCAT('+4930', 1000000 + n) AS varchar(20))",
    "city": "CAST('Berlin' AS varchar(100))",
    "score": "CAST(n AS float) / 7",
    "active": "CAST(n % 2 AS bit)",
    "total": "CAST(n / 100.0 AS decimal(12, 2))",
    "updated": "DATEADD(second, n % 60, CAST('2026-01-02T03:04:00.123' AS datetime2(3)))",
    "number": "CAST(n AS bigint) * 1000003",
    "guid": "CAST(CONCAT('00000000-0000-0000-0000-', 100000000000 + n) AS uniqueidentifier)",
}
NAMES = tuple(_EXPRESSIONS)


def table_name(columns: int) -> str:
    """The table of rows with this many columns."""
    return f"rows_of_the_benchmark_{columns}"


def query_for(rows: int, columns: int = NARROW) -> str:
    """The query to measure."""
    return f"SELECT TOP ({rows}) * FROM {table_name(columns)}"


def partitioned_query(rows: int) -> str:
    """The same rows as a query that can be partitioned by `userId`, from 0 to `rows`."""
    return f"SELECT * FROM ({query_for(rows)}) AS some"


def column_name(index: int) -> str:
    """A column's name: the twelve names in rotation, numbered from the second round on."""
    return f"{NAMES[index % len(NAMES)]}{index // len(NAMES) or ''}"


def fill_statement(rows: int, columns: int) -> str:
    """The statement that creates the table on a real server, with `rows` rows."""
    places = range(max(1, len(str(rows - 1))))
    digits = "(VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9))"
    sources = ", ".join(f"{digits} AS d{place}(d)" for place in places)
    number = " + ".join(f"d{place}.d * {10**place}" for place in places)
    expressions = [_EXPRESSIONS[NAMES[index % len(NAMES)]] for index in range(columns)]
    selected = ", ".join(
        f"{expression} AS [{column_name(index)}]" for index, expression in enumerate(expressions)
    )
    return (
        f"SELECT {selected} INTO {table_name(columns)} "
        f"FROM (SELECT {number} AS n FROM {sources}) AS numbers WHERE n < {rows}"
    )
