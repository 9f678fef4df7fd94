from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import mssql_python
import pyodbc
import pytest

from sandbox.sql_server.results import Message, Result, ResultSet, RowCount, SqlError
from sandbox.sql_server.server import SqlServer
from tests.sandbox import drivers
from tests.sandbox.fake_engine import FakeEngine, counting, int_column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PREPARED = "select n where n > @P1"


def _numbers(*values: int) -> ResultSet:
    return ResultSet([int_column()], iter([[value] for value in values]))


def _several() -> Iterator[Result]:
    yield _numbers(1, 2)
    yield RowCount(5)
    yield _numbers()
    yield RowCount()
    yield _numbers(3)


def _chatty() -> Iterator[Result]:
    yield Message(0, "begun")
    yield _numbers(1)
    yield Message(50000, "ended", severity=10)
    yield RowCount(1)


def _raised_between() -> Iterator[Result]:
    yield _numbers(1)
    yield SqlError(50000, "boom")
    yield _numbers(2)


def _failing_after(count: int) -> Callable[[], Iterator[Result]]:
    def rows() -> Iterator[list[int]]:
        yield from ([value] for value in range(count))
        raise SqlError(8134, "Divide by zero error encountered.")

    return lambda: iter([ResultSet([int_column()], rows())])


_RESULTS = {
    "ten": counting(10),
    _PREPARED: counting(3),
    "insert t values (@P1, @P2)": lambda: iter([RowCount(1)]),
    "EXEC refresh @p0, @p1": counting(1),
    "several": _several,
    "chatty": _chatty,
    "raised between": _raised_between,
    "fails after 0": _failing_after(0),
    "fails after 5": _failing_after(5),
    "fails after 5000": _failing_after(5000),
}
_DATABASE_ERRORS = (pyodbc.Error, mssql_python.DatabaseError)


@pytest.fixture(scope="module")
def engine() -> FakeEngine:
    """The engine behind the server."""
    return FakeEngine(_RESULTS)


@pytest.fixture(scope="module")
def server(engine: FakeEngine) -> Iterator[SqlServer]:
    """A server with the results above."""
    with SqlServer(engine) as running:
        yield running


@pytest.fixture(params=drivers.DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    """Each driver's name."""
    return str(request.param)


@pytest.fixture
def connection(server: SqlServer, driver: str) -> Iterator[Any]:
    """A connection of each driver."""
    connected = drivers.DRIVERS[driver](server)
    yield connected
    connected.close()


@pytest.fixture
def cursor(connection: Any) -> Any:
    """A cursor of each driver."""
    return connection.cursor()


def _drain(cursor: Any) -> list[list[int] | None]:
    """The rows of every result with columns, None for the others."""
    results: list[list[int] | None] = []
    while True:
        results.append([row[0] for row in cursor.fetchall()] if cursor.description else None)
        if not cursor.nextset():
            return results


_VALUES = [
    *(1, -1, 2**40, True, 1.5, None, Decimal("-12.3400"), "", "x", "Zoë 😀", "long " * 2000),
    *(b"\0\1", b"long " * 2000, date(2026, 1, 2), time(1, 2, 3)),
    *(datetime(2026, 1, 2, 3, 4, 5, 123000), UUID("01473d9d-0cac-44e2-b2ad-09c593e342dc")),
]


@pytest.mark.parametrize("value", _VALUES, ids=lambda value: repr(value)[:40])
def test_parameter_reaches_the_engine(engine: FakeEngine, cursor: Any, value: Any) -> None:
    """The engine gets the value that the program bound, whatever type the driver chose."""
    assert _drain(cursor.execute("select n where n > ?", value)) == [[0, 1, 2]]
    assert engine.sessions[-1].calls[-1] == ("execute", _PREPARED, {"@P1": value})


@pytest.mark.parametrize("driver", ["mssql_python"])
def test_offset_of_a_parameter_is_kept(engine: FakeEngine, cursor: Any) -> None:
    """mssql-python sends an aware datetime as datetimeoffset; pyodbc drops the offset."""
    value = datetime(2026, 1, 2, 3, 4, 5, 123000, UTC)
    cursor.execute("select n where n > ?", value)
    assert engine.sessions[-1].calls[-1][2] == {"@P1": value}


def test_prepared_query_runs_again(engine: FakeEngine, cursor: Any) -> None:
    """A prepared query is executed by its handle with other values."""
    for value in (10, 20, 30):
        assert _drain(cursor.execute("select n where n > ?", value)) == [[0, 1, 2]]
    calls = [call for call in engine.sessions[-1].calls if call[0] == "execute"]
    assert [call[1:] for call in calls] == [(_PREPARED, {"@P1": n}) for n in (10, 20, 30)]


def test_many_rows_of_parameters_arrive(engine: FakeEngine, cursor: Any) -> None:
    """A statement with many parameter rows runs once per row, in order."""
    rows = [(number, "é" * number) for number in range(50)]
    cursor.executemany("insert t values (?, ?)", rows)
    calls = [call for call in engine.sessions[-1].calls if call[0] == "execute"]
    assert [tuple(call[2].values()) for call in calls] == rows


def test_results_arrive_in_order(cursor: Any) -> None:
    """All results are read: tables and counts, an empty table included."""
    results = _drain(cursor.execute("several"))
    assert [rows for rows in results if rows is not None] == [[1, 2], [], [3]]
    assert None in results


def test_messages_arrive_with_their_result(cursor: Any) -> None:
    """PRINT's messages are reported with the next result; they are not errors."""
    cursor.execute("chatty")
    assert [text[-5:] for _, text in cursor.messages] == ["begun"]
    assert [row[0] for row in cursor.fetchall()] == [1]
    assert cursor.nextset()
    assert [(state, text[-5:]) for state, text in cursor.messages] == [("[01000] (50000)", "ended")]


def _assert_divided_by_zero(driver: str, error: Exception) -> None:
    assert "Divide by zero error encountered." in str(error)
    if driver == "mssql_python":  # it reports neither number nor state, only its class
        assert isinstance(error, mssql_python.DataError)
    else:
        assert error.args[0] == "22012"
        assert "(8134)" in str(error)


@pytest.mark.parametrize("rows", [0, 5, 5000])
def test_error_after_rows_is_raised(cursor: Any, driver: str, rows: int) -> None:
    """An error after some rows is raised while they are fetched."""
    with pytest.raises(_DATABASE_ERRORS) as caught:
        _drain(cursor.execute(f"fails after {rows}"))
    _assert_divided_by_zero(driver, caught.value)


def test_error_between_results_is_raised_by_nextset(cursor: Any) -> None:
    """An error after a complete result is raised only by nextset."""
    cursor.execute("raised between")
    assert [row[0] for row in cursor.fetchall()] == [1]
    with pytest.raises(_DATABASE_ERRORS, match="boom"):
        cursor.nextset()


@pytest.mark.parametrize("driver", ["odbc18", "freetds"])
def test_unknown_table_has_its_state_and_number(cursor: Any) -> None:
    """The driver derives the SQLSTATE from the server's error number."""
    with pytest.raises(pyodbc.ProgrammingError, match=r"\(208\)") as caught:
        cursor.execute("no such table")
    assert caught.value.args[0] == "42S02"


@pytest.mark.parametrize("sql", ["no such table", "fails after 5", "raised between"])
def test_connection_is_usable_after_an_error(connection: Any, sql: str) -> None:
    """An error of severity 16 ends a statement, not the connection."""
    with connection.cursor() as cursor, pytest.raises(_DATABASE_ERRORS):
        _drain(cursor.execute(sql))
    with connection.cursor() as another:
        assert _drain(another.execute("ten")) == [list(range(10))]


@pytest.mark.parametrize("driver", ["odbc18", "freetds"])
def test_executesql_binds_by_declaration(engine: FakeEngine, cursor: Any) -> None:
    """A call of sp_executesql runs its text with the values by their declared names."""
    for number in (7, 8):  # the second one by handle
        cursor.execute("{CALL sp_executesql (?, ?, ?)}", _PREPARED, "@P1 int", number)
        assert _drain(cursor)[0] == [0, 1, 2]
        assert engine.sessions[-1].calls[-1] == ("execute", _PREPARED, {"@P1": number})


@pytest.mark.parametrize("driver", ["odbc18", "freetds"])
def test_other_procedure_runs_in_the_engine(engine: FakeEngine, cursor: Any) -> None:
    """A call of any other procedure becomes an EXEC statement."""
    for number in (7, 8):
        cursor.execute("{CALL dbo.refresh (?, ?)}", number, "now")
        assert _drain(cursor)[0] == [0]
        assert engine.sessions[-1].calls[-1][2] == {"@p0": number, "@p1": "now"}
