from __future__ import annotations

import contextlib

import pytest

from benchmarks.baselines.odbc_connection import connect_odbc
from benchmarks.canned_server import canned_rows, row_of
from benchmarks.rows import query_for
from benchmarks.server import running_server, server_name
from sandbox.sql_server.engine import DuckDBEngine
from sandbox.sql_server.server import SqlServer


@pytest.fixture
def named_server(monkeypatch):
    """A server without canned results, named by MSSQL_TEST_* as a developer's would be."""
    engine = DuckDBEngine()
    engine.create_database("shop")
    with SqlServer(engine) as server:
        named = {"HOST": "127.0.0.1", "PORT": str(server.port), "DATABASE": "shop"}
        for name, value in {**named, "USERNAME": "sa", "PASSWORD": "Sandbox-1"}.items():
            monkeypatch.setenv(f"MSSQL_TEST_{name}", value)
        yield


def _fetch(settings, query):
    with contextlib.closing(connect_odbc(settings)) as connection:
        return [tuple(row) for row in connection.execute(query).fetchall()]


def _plain(rows):
    return sorted((*values, str(guid).upper()) for *values, guid in rows)


@pytest.mark.usefixtures("named_server")
def test_named_server_gets_the_rows_of_the_sandbox():
    """Every server has the same values; its tables are dropped afterwards."""
    with running_server(frozenset({(150, 12), (50, 12)})) as settings:
        filled = _fetch(settings, query_for(150))

    assert _plain(filled) == _plain(row_of(number) for number in range(150))
    with pytest.raises(Exception, match="rows_of_the_benchmark_12"):
        _fetch(settings, query_for(150))


def test_sandbox_holds_the_results_that_are_asked_for(monkeypatch):
    """Without MSSQL_TEST_HOST the sandbox runs in a separate process, with rows of both widths."""
    monkeypatch.delenv("MSSQL_TEST_HOST", raising=False)
    with running_server(frozenset({(30, 12), (20, 200)})) as settings:
        assert len(_fetch(settings, query_for(30))) == 30
        assert [len(row) for row in _fetch(settings, query_for(20, 200))] == [200] * 20
    assert server_name() == "sandbox"


@pytest.mark.parametrize("count", [10_000, 300_000, 1_000_000])
def test_canned_result_has_as_many_rows_as_its_query_asks(count, monkeypatch):
    """Rows are repeated to the exact count."""
    monkeypatch.setattr("benchmarks.canned_server._MAX_DISTINCT_ROWS", 1_000)

    assert canned_rows(count).row_count == count
