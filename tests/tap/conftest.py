"""The tap as a program, and a sandbox SQL Server for it to read from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyodbc
import pytest

from sandbox.sql_server.engine import DuckDBEngine
from sandbox.sql_server.server import SqlServer
from tests.forked_program import ForkedProgram
from tests.sandbox.drivers import ODBC_DRIVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TAP = Path(sys.executable).with_name("tap-mssql-query")


@dataclass(frozen=True)
class TapRun:
    """The result of one run of the program: exit code, messages, log."""

    exit_code: int
    messages: list[dict[str, Any]]
    log: str

    def of_type(self, message_type: str) -> list[dict[str, Any]]:
        """The messages of one type, in order."""
        return [message for message in self.messages if message["type"] == message_type]

    def records(self, stream: str) -> list[dict[str, Any]]:
        """The records of one stream, in order."""
        return [m["record"] for m in self.of_type("RECORD") if m["stream"] == stream]

    @property
    def state(self) -> dict[str, Any] | None:
        """The value of the last STATE."""
        states = self.of_type("STATE")
        return states[-1]["value"] if states else None


def _external_server() -> dict[str, Any] | None:
    """Settings for the server that MSSQL_TEST_* name; None if they are not set."""
    host = os.environ.get("MSSQL_TEST_HOST")
    if host is None:
        return None
    return {
        "host": host,
        "port": int(os.environ.get("MSSQL_TEST_PORT", "1433")),
        "database": os.environ.get("MSSQL_TEST_DATABASE", "tempdb"),
        "username": os.environ.get("MSSQL_TEST_USERNAME", "sa"),
        "password": os.environ["MSSQL_TEST_PASSWORD"],
        "trust_server_certificate": True,
    }


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that any SQL Server can run: those that do not use the sandbox's internals."""
    for item in items:
        names = getattr(item, "fixturenames", ())
        if "connection" in names and not {"engine", "server"} & set(names):
            item.add_marker(pytest.mark.sqlserver)


@pytest.fixture(scope="module")
def engine() -> DuckDBEngine:
    """A database `shop` with a login `reader`."""
    engine = DuckDBEngine()
    engine.create_database("shop")
    engine.add_login("reader", "Sandbox-1", role="reader")
    return engine


@pytest.fixture(scope="module")
def server(engine: DuckDBEngine) -> Iterator[SqlServer]:
    """A SQL Server on loopback."""
    with SqlServer(engine) as server:
        yield server


@pytest.fixture(scope="module")
def run_sql(request: pytest.FixtureRequest) -> Callable[[str], object]:
    """Runs T-SQL as an administrator, in the database that the tap reads."""
    external = _external_server()
    if external is None:
        engine: DuckDBEngine = request.getfixturevalue("engine")
        return lambda sql: engine.run("shop", sql)
    text = (
        f"DRIVER={ODBC_DRIVER};SERVER={external['host']},{external['port']};"
        f"DATABASE={external['database']};UID={external['username']};PWD={external['password']};"
        "TrustServerCertificate=yes"
    )
    administrator = pyodbc.connect(text, autocommit=True)
    return lambda sql: administrator.execute(sql)  # noqa: PLW0108 - typed, as its cursor is not


@pytest.fixture(scope="module")
def connection(request: pytest.FixtureRequest, run_sql: Callable[[str], object]) -> dict[str, Any]:
    """Settings for the sandbox or the server of MSSQL_TEST_*, with the table `retl_test_users`.

    The tables of the tests are called `retl_test_…`: other tables of a database are left alone.
    """
    run_sql("DROP TABLE IF EXISTS retl_test_users")
    run_sql("CREATE TABLE retl_test_users (id int, email nvarchar(50), last_updated bigint)")
    run_sql("INSERT INTO retl_test_users VALUES (1, N'zoë@example.com', 10), (2, NULL, 20)")
    external = _external_server()
    if external is not None:
        return external
    return {
        "host": "127.0.0.1",
        "port": request.getfixturevalue("server").port,
        "database": "shop",
        "username": "reader",
        "password": "Sandbox-1",
        "encrypt": "no",
    }


@pytest.fixture
def administrator() -> dict[str, str]:
    """Settings that make the tap's login one that may write."""
    return {"username": "sa"} if _external_server() is None else {}


@pytest.fixture
def config(connection: dict[str, Any], request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """Settings of the tap without syncs. Faults of the server end with the test."""
    server = request.getfixturevalue("server") if _external_server() is None else None
    yield dict(connection)
    if server is not None:
        server.faults.clear()


@pytest.fixture(scope="session")
def forked_tap() -> Iterator[ForkedProgram]:
    """The program, loaded once."""
    with ForkedProgram(TAP, "tap_mssql_query", "tap_mssql_query.tap") as program:
        yield program


@pytest.fixture
def run_tap(tmp_path: Path, forked_tap: ForkedProgram) -> Callable[..., TapRun]:
    """Runs the program with a configuration, a state and further arguments."""
    return partial(run_tap_in, tmp_path, forked_tap)


def run_tap_in(
    folder: Path, program: ForkedProgram, config: dict[str, Any], *arguments: str, state: Any = None
) -> TapRun:
    """Run the program; its files are in a folder."""
    (folder / "tap.json").write_text(json.dumps(config))
    command = ["--config", str(folder / "tap.json"), *arguments]
    if state is not None:
        text = state if isinstance(state, str) else json.dumps(state)
        (folder / "state.json").write_text(text)
        command += ["--state", str(folder / "state.json")]
    done = program.run(command, folder=Path.cwd(), timeout=60)
    lines = done.stdout.splitlines()
    is_singer = "--discover" not in arguments
    messages = [json.loads(line) for line in lines] if is_singer else [json.loads(done.stdout)]
    return TapRun(done.returncode, messages, done.stderr.decode())


@pytest.fixture
def start_tap(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the program with a configuration, and ends it with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(config: dict[str, Any], *arguments: str) -> subprocess.Popen[str]:
        path = tmp_path / f"tap-{len(started)}.json"
        path.write_text(json.dumps(config))
        process = subprocess.Popen(
            [str(TAP), "--config", str(path), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()
