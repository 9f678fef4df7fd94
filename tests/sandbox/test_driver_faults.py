from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import mssql_python
import pyodbc
import pytest

from sandbox.sql_server.faults import (
    AnswerError,
    CloseAfterBytes,
    CloseAfterRows,
    Delay,
    Fault,
    RefuseLogin,
    StallAfterAccept,
)
from sandbox.sql_server.results import SqlError
from sandbox.sql_server.server import SqlServer
from tests.sandbox import drivers
from tests.sandbox.fake_engine import FakeEngine, counting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SQL, _ROWS = "select n from numbers", 20_000
_PACKET = 4096
_IMPATIENT_SECONDS = 1
_NEVER_SECONDS = 10  # far longer than any of these tests takes
_ERRORS = (pyodbc.Error, mssql_python.Error)


@pytest.fixture
def server() -> Iterator[SqlServer]:
    """A server of its own for each test, with one large result."""
    with SqlServer(FakeEngine({_SQL: counting(_ROWS)})) as running:
        yield running


def _read_rows(cursor: Any) -> int:
    return len(cursor.execute(_SQL).fetchall())


def _read_arrow(cursor: Any) -> int:
    return sum(batch.num_rows for batch in cursor.execute(_SQL).arrow_reader(batch_size=1000))


_READERS: dict[str, tuple[drivers.Connect, Callable[[Any], int]]] = {
    "odbc18": (drivers.odbc18, _read_rows),
    "mssql_python": (drivers.mssql, _read_rows),
    "arrow": (drivers.mssql, _read_arrow),
}


class _Client:
    """One way to read the result, over a connection with a short query timeout."""

    def __init__(self, server: SqlServer, name: str) -> None:
        self.has_states = name == "odbc18"
        self._server = server
        self._connect, self._read = _READERS[name]

    def read(self) -> int:
        """Connect and read; returns the number of rows."""
        connection = self._connect(self._server)
        connection.timeout = _IMPATIENT_SECONDS
        cursor = connection.cursor()
        try:
            return self._read(cursor)
        finally:
            cursor.close()
            connection.close()

    def fail(self) -> Exception:
        """The error that reading must raise; afterwards reading must work."""
        started = time.monotonic()
        with pytest.raises(_ERRORS) as caught:
            self.read()
        assert time.monotonic() - started < _NEVER_SECONDS
        assert self.read() == _ROWS
        error: Exception = caught.value
        return error

    def assert_says(self, error: Exception, state: str, words: str) -> None:
        """Check the SQLSTATE; mssql-python has only its own text for it."""
        if self.has_states:
            assert error.args[0] == state
        else:
            assert words in str(error)


@pytest.fixture(params=_READERS)
def client(request: pytest.FixtureRequest, server: SqlServer) -> _Client:
    """Each way to read."""
    return _Client(server, request.param)


_LINK_FAILURES: list[Fault] = [
    CloseAfterRows(rows=0),
    CloseAfterBytes(size=0),
    CloseAfterBytes(size=3),
    CloseAfterBytes(size=50),
    CloseAfterBytes(size=2 * _PACKET),
    CloseAfterBytes(size=9 * _PACKET),
    CloseAfterBytes(size=9 * _PACKET + 100),
]


@pytest.mark.parametrize("fault", _LINK_FAILURES, ids=repr)
def test_connection_that_ends_is_an_error(server: SqlServer, client: _Client, fault: Fault) -> None:
    """A connection may end before the response, in a header, in a packet or between two."""
    server.faults.add(fault)
    client.assert_says(client.fail(), "08S01", "Communication link failure")
    assert server.faults.fired == (fault,)


@pytest.mark.parametrize("rows", [1, 5, 1000, 5000])
def test_connection_that_ends_between_rows_is_an_error(server: SqlServer, rows: int) -> None:
    """Pyodbc notices missing rows even if the last row is complete."""
    server.faults.add(CloseAfterRows(rows=rows))
    client = _Client(server, "odbc18")
    client.assert_says(client.fail(), "08S01", "")


@pytest.mark.parametrize("reader", ["mssql_python", "arrow"])
def test_mssql_python_takes_whole_rows_for_a_whole_result(server: SqlServer, reader: str) -> None:
    """A fact to defend against: if it ends between rows, only the next statement fails."""
    server.faults.add(CloseAfterRows(rows=5000))
    connection = drivers.mssql(server)
    cursor = connection.cursor()
    assert _READERS[reader][1](cursor) == 5000
    assert not cursor.nextset()
    with pytest.raises(mssql_python.OperationalError, match="Communication link failure"):
        cursor.execute("select 1")
    connection.close()


@pytest.mark.parametrize("row", [0, 5, 5000])
def test_silent_server_causes_a_timeout(server: SqlServer, client: _Client, row: int) -> None:
    """A server that stops sending causes a timeout, before the first row or later."""
    server.faults.add(Delay(before_row=row))
    error = client.fail()
    if row and not client.has_states:
        assert "Function sequence error" in str(error)  # all that mssql-python reports
    else:
        client.assert_says(error, "HYT00", "Timeout expired")


def test_short_delay_is_no_error(server: SqlServer, client: _Client) -> None:
    """A delay shorter than the timeout only takes time."""
    server.faults.add(Delay(seconds=0.2), Delay(seconds=0.2, before_row=10_000))
    started = time.monotonic()
    assert client.read() == client.read() == _ROWS
    assert time.monotonic() - started > 0.4


_NUMBERS = [
    (1205, 13, "40001", "Serialization failure"),
    (40197, 17, "42000", "Syntax error or access violation"),
    (50000, 16, "42000", "Syntax error or access violation"),
]


@pytest.mark.parametrize("after", [0, 5, 5000])
@pytest.mark.parametrize(("number", "severity", "state", "words"), _NUMBERS)
def test_error_has_its_number_and_state(
    server: SqlServer,
    client: _Client,
    after: int,
    *,
    number: int,
    severity: int,
    state: str,
    words: str,
) -> None:
    """An error before or after some rows is raised with the driver's SQLSTATE."""
    problem = SqlError(number, "the reason", severity=severity)
    server.faults.add(AnswerError(error=problem, after_rows=after))
    error = client.fail()
    client.assert_says(error, state, words)
    assert "the reason" in str(error)
    assert client.has_states is (f"({number})" in str(error))


def test_fatal_error_ends_the_connection(server: SqlServer) -> None:
    """An error of severity 20 is reported, and then the connection is closed."""
    server.faults.add(AnswerError(error=SqlError(596, "killed", severity=21), after_rows=5))
    connection = drivers.odbc18(server)
    with pytest.raises(pyodbc.Error, match=r"killed \(596\)"):
        connection.cursor().execute(_SQL).fetchall()
    with pytest.raises(pyodbc.OperationalError) as caught:
        connection.cursor().execute(_SQL)
    assert caught.value.args[0] == "08S01"


@pytest.mark.parametrize(("number", "state"), [(18456, "28000"), (4060, "42000"), (40613, "42000")])
def test_logins_fail_as_often_as_injected(server: SqlServer, number: int, state: str) -> None:
    """Two logins fail with the given error number, the third succeeds."""
    fault = RefuseLogin(error=SqlError(number, "not now", severity=14), times=2)
    server.faults.add(fault)
    client = _Client(server, "odbc18")
    for _ in range(2):
        with pytest.raises(pyodbc.Error, match=rf"not now \({number}\)") as caught:
            client.read()
        assert caught.value.args[0] == state
    assert client.read() == _ROWS
    assert len(server.faults.fired) == 2


def test_failed_login_through_mssql_python(server: SqlServer) -> None:
    """mssql-python reports the message of a failed login, with its own class."""
    server.faults.add(RefuseLogin(error=SqlError(18456, "not now", severity=14)))
    error = _Client(server, "mssql_python").fail()
    assert isinstance(error, mssql_python.OperationalError)
    assert "not now" in str(error)


def test_login_to_a_silent_server_times_out(server: SqlServer) -> None:
    """A connection without a response fails after the login timeout."""
    server.faults.add(StallAfterAccept())
    with pytest.raises(pyodbc.OperationalError) as caught:
        pyodbc.connect(
            f"DRIVER={drivers.ODBC_DRIVER};SERVER=127.0.0.1,{server.port};UID=sa;PWD=x", timeout=1
        )
    assert caught.value.args[0] == "HYT00"
    assert _Client(server, "odbc18").read() == _ROWS


def test_fault_waits_for_its_query(server: SqlServer, client: _Client) -> None:
    """A fault with `matching` does not affect other queries."""
    server.faults.add(CloseAfterRows(matching="another table"))
    assert client.read() == _ROWS
    assert server.faults.fired == ()
