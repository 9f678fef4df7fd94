"""The engine behind the server, used through real drivers."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.shop import SYNCS, create_shop
from sandbox.sql_server.engine import DuckDBEngine
from tests.sandbox.drivers import DRIVERS, odbc18
from tests.sandbox.separate_server import SeparateServer, separate_server

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCK = (
    "SET NOCOUNT ON; DECLARE @r int; EXEC @r = sp_getapplock @Resource = N'sync', "
    "@LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 0; SELECT @r"
)


def shop() -> DuckDBEngine:
    """The sample shop."""
    engine = DuckDBEngine()
    create_shop(engine)
    return engine


@pytest.fixture(scope="module")
def server() -> Iterator[SeparateServer]:
    """The sample shop, served."""
    with separate_server("tests.sandbox.test_engine_drivers:shop") as running:
        yield running


def _fetch(connection: Any, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    cursor = connection.cursor()
    cursor.execute(sql, *parameters)
    found = [tuple(line) for line in cursor.fetchall()]
    cursor.close()
    return found


@pytest.mark.parametrize("driver", DRIVERS)
def test_driver_reads_the_shop(server: SeparateServer, driver: str) -> None:
    """Each driver reads every sync of the sample shop, a bound parameter, and the clock."""
    connection = DRIVERS[driver](server, UID="reader")
    for sync in SYNCS:
        query = sync["query"].replace("{{last_sync_time}}", "0")
        query = query.replace("{{last_sync_datetime}}", "CAST('2025-01-01' AS datetime2(0))")
        assert len(_fetch(connection, query)) >= 90
    sql = "SELECT id, lname FROM users WHERE id = ? OR email_address = ?"
    assert len(_fetch(connection, sql, (7, "USER8@example.com"))) == 2
    ((now,),) = _fetch(connection, "SELECT GETUTCDATE()")
    assert isinstance(now, datetime)
    connection.close()


@pytest.mark.parametrize("driver", DRIVERS)
def test_driver_takes_the_lock(server: SeparateServer, driver: str) -> None:
    """An application lock excludes other connections until its own is closed."""
    holder, other = (DRIVERS[driver](server, UID="reader") for _ in range(2))
    assert _fetch(holder, _LOCK) == [(0,)]
    assert _fetch(other, _LOCK) == [(-1,)]
    holder.close()
    other.close()


def test_driver_commits_and_rolls_back(server: SeparateServer) -> None:
    """With autocommit off, rollback undoes changes and commit keeps them."""
    connection = odbc18(server, autocommit=False)
    count = "SELECT COUNT(*) FROM user_resolution"
    ((before,),) = _fetch(connection, count)
    connection.execute("INSERT user_resolution VALUES (9, 'x', 1)")
    assert _fetch(connection, count) == [(before + 1,)]
    connection.rollback()
    assert _fetch(connection, count) == [(before,)]
    connection.close()


def test_description_has_its_columns(server: SeparateServer) -> None:
    """sp_describe_first_result_set returns names and types without running the query."""
    connection = odbc18(server, UID="reader")
    query = "SELECT plan_name AS p, monthly_price FROM subscriptions"
    sql = f"EXEC sp_describe_first_result_set @tsql = N'{query}'"
    described = [(line[2], line[3], line[5]) for line in _fetch(connection, sql)]
    assert described == [("p", False, "nvarchar(50)"), ("monthly_price", False, "money")]
    connection.close()
