"""The tap as a program, and a sandbox SQL Server for it to read from."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.sql_server.engine import DuckDBEngine
from sandbox.sql_server.server import SqlServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TAP = Path(sys.executable).with_name("tap-mssql-query")


@dataclass(frozen=True)
class TapRun:
    """What one run of the program left: its exit code, its messages, its log."""

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


@pytest.fixture(scope="module")
def engine() -> DuckDBEngine:
    """A database `shop` with a login `reader`."""
    engine = DuckDBEngine()
    engine.create_database("shop")
    engine.add_login("reader", "Sandbox-1", role="reader")
    engine.run("shop", "CREATE TABLE users (id int, email nvarchar(50), last_updated bigint)")
    engine.run("shop", "INSERT INTO users VALUES (1, N'zoë@example.com', 10), (2, NULL, 20)")
    return engine


@pytest.fixture(scope="module")
def server(engine: DuckDBEngine) -> Iterator[SqlServer]:
    """A SQL Server on loopback."""
    with SqlServer(engine) as server:
        yield server


@pytest.fixture
def config(server: SqlServer) -> Iterator[dict[str, Any]]:
    """Settings that reach the server; tests add their syncs. Faults end with the test."""
    yield {
        "host": "127.0.0.1",
        "port": server.port,
        "database": "shop",
        "username": "reader",
        "password": "Sandbox-1",
        "encrypt": "no",
    }
    server.faults.clear()


@pytest.fixture
def run_tap(tmp_path: Path) -> Callable[..., TapRun]:
    """Runs the program with a configuration, a state and further arguments."""

    def run(config: dict[str, Any], *arguments: str, state: object = None) -> TapRun:
        (tmp_path / "tap.json").write_text(json.dumps(config))
        command = [str(TAP), "--config", str(tmp_path / "tap.json"), *arguments]
        if state is not None:
            text = state if isinstance(state, str) else json.dumps(state)
            (tmp_path / "state.json").write_text(text)
            command += ["--state", str(tmp_path / "state.json")]
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
        lines = done.stdout.splitlines()
        is_singer = "--discover" not in arguments
        messages = [json.loads(line) for line in lines] if is_singer else [json.loads(done.stdout)]
        return TapRun(done.returncode, messages, done.stderr.decode())

    return run


@pytest.fixture
def start_tap(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the program with a configuration; ended with the test."""
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
        process.communicate()
