from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow.compute as pc
import pytest

from sandbox.sql_server.canned import CannedResult
from sandbox.sql_server.results import Column, SqlType
from sandbox.sql_server.server import SqlServer
from tests.sandbox import drivers
from tests.sandbox.fake_engine import FakeEngine, counting

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK_ROWS, _REPEAT = 2000, 100
_ROWS = _BLOCK_ROWS * _REPEAT
_COLUMNS = [
    Column("id", SqlType("int"), nullable=False),
    Column("email", SqlType("nvarchar", 200)),
    Column("first_name", SqlType("nvarchar", 50)),
    Column("last_name", SqlType("nvarchar", 50)),
    Column("phone", SqlType("varchar", 20)),
    Column("plan", SqlType("varchar", 20)),
    Column("score", SqlType("float")),
    Column("is_active", SqlType("bit")),
    Column("balance", SqlType("decimal", precision=12, scale=2)),
    Column("updated_at", SqlType("datetime2", scale=3)),
    Column("visits", SqlType("bigint")),
    Column("key", SqlType("uniqueidentifier")),
]


def _row(number: int) -> list[Any]:
    return [
        *(number, f"user{number}@example.com", "Zoë", f"O'Brien{number}"),
        *(f"+1555{number:07}" if number % 3 else None, "pro", number / 7, number % 2 == 0),
        *(Decimal(number), datetime(2026, 1, 2) + timedelta(seconds=number), number * 10**9),
        UUID(int=number),
    ]


@pytest.fixture(scope="module")
def server() -> Iterator[SqlServer]:
    """A server with one canned result, and an engine that knows another query."""
    canned = CannedResult.build(_COLUMNS, (_row(n) for n in range(_BLOCK_ROWS)), _REPEAT)
    with SqlServer(FakeEngine({"ten": counting(10)})) as running:
        running.canned["select * from users"] = canned
        running.canned[lambda sql: sql.startswith("select any")] = canned
        yield running


def test_canned_result_arrives_complete(server: SqlServer) -> None:
    """All rows and columns of a large canned result are read, as Arrow, in order."""
    connection = drivers.mssql(server)
    table = connection.cursor().execute(" select * from users\n").arrow(batch_size=8192)
    connection.close()
    assert table.num_rows == _ROWS
    assert table.column_names == [column.name for column in _COLUMNS]
    assert pc.sum(table["id"]).as_py() == _REPEAT * sum(range(_BLOCK_ROWS))
    assert table["email"][_ROWS - 1].as_py() == f"user{_BLOCK_ROWS - 1}@example.com"
    assert table["phone"].null_count == _REPEAT * len(range(0, _BLOCK_ROWS, 3))
    assert pc.sum(table["visits"]).as_py() == _REPEAT * sum(range(_BLOCK_ROWS)) * 10**9


@pytest.mark.parametrize("driver", drivers.DRIVERS)
def test_canned_rows_equal_engine_rows(driver: str) -> None:
    """A canned result has the same values as one from the engine."""
    rows = [_row(number) for number in range(7)]
    with SqlServer(FakeEngine()) as server:
        server.canned["few"] = CannedResult.build(_COLUMNS, rows, repeat=2)
        connection = drivers.DRIVERS[driver](server)
        found = [list(row) for row in connection.cursor().execute("few").fetchall()]
        connection.close()
    assert [[*row[:-1], UUID(str(row[-1]))] for row in found] == rows * 2


@pytest.mark.parametrize(("sql", "rows"), [("select any of them", _ROWS), ("ten", 10)])
def test_predicate_chooses_queries(server: SqlServer, sql: str, rows: int) -> None:
    """A predicate selects a canned result for many queries; the engine runs all others."""
    connection = drivers.mssql(server)
    assert connection.cursor().execute(sql).arrow().num_rows == rows
    connection.close()


@pytest.mark.parametrize(
    "result", [CannedResult.build(_COLUMNS, []), CannedResult.build(_COLUMNS, [_row(1)], 0)]
)
def test_empty_canned_result_has_columns(result: CannedResult) -> None:
    """A result without rows, or with zero repetitions, is empty."""
    with SqlServer(FakeEngine()) as server:
        server.canned["nothing"] = result
        connection = drivers.odbc18(server)
        cursor = connection.cursor().execute("nothing")
        assert [column[0] for column in cursor.description] == [c.name for c in _COLUMNS]
        assert cursor.fetchall() == []
        connection.close()


def test_canned_result_can_be_cancelled(server: SqlServer) -> None:
    """A client that cancels the result finds whole tokens and continues."""
    connection = drivers.odbc18(server)
    cursor = connection.cursor()
    assert cursor.execute("select * from users").fetchone()[0] == 0
    cursor.close()
    assert len(connection.cursor().execute("ten").fetchall()) == 10
    connection.close()
