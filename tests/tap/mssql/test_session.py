"""Sessions of both readers, in this process, with the sandbox's SQL Server."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.sql_server.faults import AnswerError
from sandbox.sql_server.results import Message, RowCount, SqlError
from sandbox.sql_server.server import SqlServer
from tap_mssql_query.errors import QueryFailed
from tap_mssql_query.mssql.connect import connect
from tap_mssql_query.mssql.transient_errors import is_worth_retrying
from tap_mssql_query.settings.model import parse_settings
from tap_mssql_query.sql.select_only import SelectQuery
from tests.sandbox.fake_engine import PASSWORD, FakeEngine, counting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.sql_server.results import Result
    from tap_mssql_query.mssql.session import Session

QUERY = SelectQuery("SELECT n FROM numbers")
PRINTING = "EXEC printing"
READERS = ["arrow", "odbc"]


def _print_and_count() -> Iterator[Result]:
    """Two messages, a count, and then the result."""
    yield Message(0, "hello")
    yield RowCount(3)
    yield Message(0, "again")
    yield from counting(3)()


@pytest.fixture(scope="module")
def running() -> Iterator[SqlServer]:
    """A SQL Server that knows one query."""
    with SqlServer(FakeEngine({QUERY.sql: counting(10), PRINTING: _print_and_count})) as server:
        yield server


def open_session(port: int, reader: str, **changes: Any) -> Session:
    """A session as the tap opens it."""
    settings = parse_settings(
        {
            "host": "127.0.0.1",
            "port": port,
            "database": "shop",
            "username": "reader",
            "password": PASSWORD,
            "encrypt": "no",
            "reader": reader,
            "syncs": [{"name": "s", "type": "identify", "query": "SELECT 1 AS id"}],
            **changes,
        }
    )
    return connect(settings.syncs[0].database, settings)


@pytest.fixture(params=READERS)
def session(request: pytest.FixtureRequest, running: SqlServer) -> Iterator[Session]:
    """A session of each reader."""
    with contextlib.closing(open_session(running.port, request.param)) as opened:
        yield opened
    running.faults.clear()


def _read(session: Session) -> list[int]:
    return [value for block in session.read(QUERY) for value in block.column(0).to_pylist()]


GERMAN = {
    1205: "Die Transaktion (Prozess-ID 52) befand sich auf Sperre Ressourcen aufgrund eines "
    "anderen Prozesses in einer Deadlocksituation.",
    1222: "Das Timeout für Sperranforderungen wurde überschritten.",
    40501: "Der Dienst ist zurzeit ausgelastet.",
}


@pytest.mark.parametrize(
    ("number", "after_rows"), [(1205, 0), (1222, 0), (40501, 0), (1205, 3)], ids=str
)
def test_error_is_known_in_every_language(running, session, number, after_rows):
    """The error's number, or its SQLSTATE, decides about a retry, whatever the text."""
    severity = 13 if number == 1205 else 16
    error = SqlError(number, GERMAN[number], severity=severity)
    running.faults.add(AnswerError(error=error, matching="numbers", after_rows=after_rows))

    with pytest.raises(QueryFailed) as caught:
        _read(session)

    assert is_worth_retrying(caught.value, 1, 0.0)


@pytest.mark.parametrize("after_rows", [0, 3])
def test_german_value_is_not_shown(running, session, after_rows):
    """In no language is a text shown that may quote a value."""
    text = "Fehler beim Konvertieren des nvarchar-Werts ada@example.com in den int-Datentyp."
    fault = AnswerError(error=SqlError(245, text), matching="numbers", after_rows=after_rows)
    running.faults.add(fault)

    with pytest.raises(QueryFailed) as caught:
        _read(session)

    assert "ada" not in str(caught.value)


def test_question_skips_what_the_server_prints(session):
    """As a trigger of the login may do; the answer is the first result with columns."""
    assert session.fetch_all(PRINTING) == [(0,), (1,), (2,)]
    assert session.fetch_all(PRINTING) == [(0,), (1,), (2,)]
