from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import mssql_python
import pyodbc
import pytest

from sandbox.sql_server.faults import Delay
from sandbox.sql_server.server import SqlServer
from tests.sandbox import drivers
from tests.sandbox.fake_engine import FakeEngine, FakeSession, counting
from tests.sandbox.wiretap import Wiretap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PACKET_SIZE_ATTRIBUTE = 112  # SQL_ATTR_PACKET_SIZE
_PATIENCE_SECONDS = 5
_ENDLESS = 10**12
_RESULTS = {
    "ten": counting(10),
    "many": counting(100_000),
    "endless": counting(_ENDLESS),
    "ten @P1": counting(10),
}


@pytest.fixture
def engine() -> FakeEngine:
    """The engine behind the server."""
    return FakeEngine(_RESULTS)


@pytest.fixture
def server(engine: FakeEngine) -> Iterator[SqlServer]:
    """A server per test, because sessions are counted."""
    with SqlServer(engine) as running:
        yield running


@pytest.fixture(params=drivers.DRIVERS)
def connect(request: pytest.FixtureRequest) -> drivers.Connect:
    """Each driver."""
    return drivers.DRIVERS[request.param]


def _count(connection: Any, sql: str) -> int:
    cursor = connection.cursor()  # pyodbc's own context manager would commit
    try:
        return len(cursor.execute(sql).fetchall())
    finally:
        cursor.close()


def _soon(claim: Callable[[], bool]) -> bool:
    """Whether a condition becomes true within a generous time."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not claim() and time.monotonic() < deadline:
        threading.Event().wait(0.005)
    return claim()


def _statements(session: FakeSession) -> list[str]:
    return [call[1] if call[0] == "execute" else call[0] for call in session.calls]


@pytest.mark.parametrize(
    ("driver", "options", "state", "number"),
    [
        ("odbc18", {"PWD": "wrong"}, "28000", 18456),
        ("odbc18", {"UID": "nobody"}, "28000", 18456),
        ("odbc18", {"DATABASE": "missing"}, "42000", 4060),
        ("freetds", {"PWD": "wrong"}, "42000", 18456),
        ("freetds", {"DATABASE": "missing"}, "42000", 18456),  # it reports the last error
    ],
)
def test_failed_login_has_its_number(
    server: SqlServer, driver: str, options: dict[str, str], state: str, number: int
) -> None:
    """A wrong password and an unknown database are distinct errors, and no one is logged in."""
    with pytest.raises(pyodbc.Error, match=rf"\({number}\)") as caught:
        drivers.DRIVERS[driver](server, **options)
    assert caught.value.args[0] == state
    assert server.sessions() == ()


@pytest.mark.parametrize("options", [{"PWD": "wrong"}, {"DATABASE": "missing"}])
def test_failed_login_through_mssql_python(server: SqlServer, options: dict[str, Any]) -> None:
    """mssql-python keeps only the message; for an unknown database, the second one."""
    with pytest.raises(mssql_python.OperationalError, match="Login failed for user 'sa'"):
        drivers.mssql(server, **options)


def test_session_reports_its_client(server: SqlServer) -> None:
    """The server knows program, login and database while the client is connected."""
    connection = drivers.odbc18(server, APP="sync", UID="reader", DATABASE="other")
    (info,) = server.sessions()
    assert (info.program, info.user, info.database) == ("sync", "reader", "other")
    connection.close()
    assert _soon(lambda: server.sessions() == ())


def test_database_change_is_reported(server: SqlServer, connect: drivers.Connect) -> None:
    """USE changes the session's database, on the server and in the driver."""
    connection = connect(server)
    connection.cursor().execute("USE other")
    assert server.sessions()[0].database == "other"
    connection.close()


@pytest.mark.parametrize("driver", ["odbc18", "freetds"])
@pytest.mark.parametrize("sql", ["many", "ten ?"])
@pytest.mark.parametrize("row", [0, 5])
def test_cancel_from_another_thread(server: SqlServer, driver: str, sql: str, row: int) -> None:
    """A cancelled query fails as cancelled, and its connection stays usable."""
    connection = drivers.DRIVERS[driver](server)
    server.faults.add(Delay(before_row=row))
    cursor = connection.cursor()
    parameters = (1,) if "?" in sql else ()
    timer = threading.Timer(0.1, cursor.cancel)
    timer.start()
    with pytest.raises(pyodbc.Error, match="cancel") as caught:
        cursor.execute(sql, *parameters).fetchall()
    timer.join()
    assert caught.value.args[0] == "HY008"
    assert _count(connection, "ten") == 10
    connection.close()


def test_attention_reaches_the_engine(server: SqlServer, engine: FakeEngine) -> None:
    """ATTENTION reaches the engine's session, even between two rows."""
    connection = drivers.odbc18(server)
    cursor = connection.cursor()
    cursor.execute("endless").fetchone()
    cursor.close()
    assert engine.sessions[-1].cancelled.wait(_PATIENCE_SECONDS)
    connection.close()


def test_closing_within_a_result(server: SqlServer, connect: drivers.Connect) -> None:
    """After a cursor is closed early, its connection stays usable."""
    connection = connect(server)
    cursor = connection.cursor()
    assert len(cursor.execute("endless").fetchmany(3)) == 3
    cursor.close()
    assert _count(connection, "ten") == 10
    connection.close()


def test_disconnecting_within_a_result(
    server: SqlServer, engine: FakeEngine, connect: drivers.Connect
) -> None:
    """A client that disconnects ends its session, however much is left to send."""
    connection = connect(server)
    cursor = connection.cursor()
    cursor.execute("endless").fetchmany(3)
    cursor.close()
    connection.close()
    assert engine.sessions[-1].closed.wait(_PATIENCE_SECONDS)


def test_autocommit_begins_no_transaction(
    server: SqlServer, engine: FakeEngine, connect: drivers.Connect
) -> None:
    """With autocommit the engine sees no transactions."""
    connection = connect(server)
    _count(connection, "ten")
    connection.close()
    assert engine.sessions[-1].closed.wait(_PATIENCE_SECONDS)
    assert not {"begin", "commit", "rollback"} & set(_statements(engine.sessions[-1]))


def test_transactions_reach_the_engine(
    server: SqlServer, engine: FakeEngine, connect: drivers.Connect
) -> None:
    """Without autocommit, commit and rollback arrive, and each begins the next transaction."""
    connection = connect(server, autocommit=False)
    _count(connection, "ten")
    connection.commit()
    _count(connection, "ten")
    connection.rollback()
    expected = ["begin", "ten", "commit", "begin", "ten", "rollback", "begin"]
    assert _statements(engine.sessions[-1]) == expected
    connection.close()


def test_disconnecting_without_commit_rolls_back(
    server: SqlServer, engine: FakeEngine, connect: drivers.Connect
) -> None:
    """A client that disconnects within a transaction has committed nothing."""
    connection = connect(server, autocommit=False)
    _count(connection, "ten")
    connection.close()
    assert engine.sessions[-1].closed.wait(_PATIENCE_SECONDS)
    assert "commit" not in _statements(engine.sessions[-1])


@pytest.mark.parametrize("size", [512, 4096, 32767])
@pytest.mark.parametrize("driver", drivers.DRIVERS)
def test_packets_have_the_requested_size(server: SqlServer, driver: str, size: int) -> None:
    """Every row arrives with the smallest, the default and the largest packet size."""
    with Wiretap(server) as tap:
        if driver == "freetds":
            connection = drivers.freetds(tap, PORT=tap.port, PacketSize=size)
        else:
            attributes = {_PACKET_SIZE_ATTRIBUTE: size}
            connection = drivers.DRIVERS[driver](tap, attributes=attributes)
        assert _count(connection, "many") == 100_000
        connection.close()
    assert tap.saw_bytes(bytes([4, 0]) + size.to_bytes(2))  # the header of a full packet


def test_sessions_do_not_disturb_each_other(server: SqlServer, engine: FakeEngine) -> None:
    """Twenty-one concurrent clients read their own results, and all sessions end."""
    connections = [connect(server) for connect in [*drivers.DRIVERS.values()] * 7]
    assert len(server.sessions()) == 21
    with ThreadPoolExecutor(21) as pool:
        for _ in range(3):
            assert set(pool.map(lambda connection: _count(connection, "ten"), connections)) == {10}
    for connection in connections:
        connection.close()
    assert _soon(lambda: server.sessions() == ())


def test_stopping_the_server_ends_its_sessions(engine: FakeEngine) -> None:
    """A stopping server does not wait for connected clients."""
    with SqlServer(engine) as server:
        connection = drivers.odbc18(server)
    assert engine.sessions[-1].closed.is_set()
    with pytest.raises(pyodbc.OperationalError) as caught:
        _count(connection, "ten")
    assert caught.value.args[0] == "08S01"
