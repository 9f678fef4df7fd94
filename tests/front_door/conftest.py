"""The front door as a program, with a SQL Server to read from and a collector to deliver to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.collector import DEFAULT_WRITE_KEY, Collector
from sandbox.shop import create_shop
from sandbox.sql_server.engine import DuckDBEngine
from sandbox.sql_server.server import SqlServer
from tests.front_door.projects import Shop

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = Path(sys.executable).with_name("mssql-reverse-etl")
ROWS = 1000
TIMEOUT_SECONDS = 300
"""Of one run: a cluster starts many programs, which takes minutes on a busy machine."""
PASSWORD = "Sandbox-1"


@dataclass
class Site:
    """A folder with configurations, the server to read from, and the collector to deliver to."""

    folder: Path
    server: SqlServer
    collector: Collector
    tap: dict[str, Any]
    target: dict[str, Any]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def state_path(self) -> Path:
        """Where the state is kept."""
        return self.folder / "state.json"

    @property
    def state(self) -> dict[str, Any]:
        """The content of the state file."""
        state: dict[str, Any] = json.loads(self.state_path.read_text())
        return state

    @property
    def dead_letters(self) -> list[dict[str, Any]]:
        """The dead letters, in order."""
        path = self.folder / "dead_letters.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def calls(self) -> list[tuple[str, bytes]]:
        """The delivered calls by messageId, sorted, including repeats."""
        return sorted((call.message_id, call.raw) for call in self.collector.calls)

    def forget(self) -> None:
        """Forget what earlier runs left: calls, the state and dead letters."""
        self.collector.forget()
        for path in (self.state_path, self.folder / "dead_letters.jsonl"):
            path.unlink(missing_ok=True)

    def wait_for_requests(self, count: int) -> None:
        """Wait until the collector has answered that many requests, on a busy machine too."""
        self.collector.wait_for_requests(count, 60.0)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start `mssql-reverse-etl run` with the configurations as they are now."""
        for name, config in (("tap", self.tap), ("target", self.target)):
            (self.folder / f"{name}.json").write_text(json.dumps(config))
        command = [
            *(str(PROGRAM), "run", "--tap", "tap.json", "--target", "target.json"),
            *("--state", "state.json", *arguments),
        ]
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def run(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Run it to its end; the exit code and the log."""
        process = self.start(*arguments, **environment)
        output, log = process.communicate(timeout=TIMEOUT_SECONDS)
        log = output + log
        return process.returncode, log


def sync(name: str = "users", **settings: Any) -> dict[str, Any]:
    """A sync of all users."""
    query = "SELECT id AS userId, email AS [traits.email], plan_name FROM users"
    return {"name": name, "type": "identify", "query": query, **settings}


def create_users(**options: Any) -> DuckDBEngine:
    """A database with `ROWS` users; the options are the engine's."""
    engine = DuckDBEngine(**options)
    engine.create_database("shop")
    engine.add_login("reader", PASSWORD, role="reader")
    engine.run("shop", "CREATE TABLE users (id int, email nvarchar(50), plan_name varchar(10))")
    rows = (f"({n}, N'user{n}@example.com', 'plan{n % 3}')" for n in range(ROWS))
    engine.run("shop", f"INSERT INTO users VALUES {', '.join(rows)}")
    return engine


@pytest.fixture(scope="module")
def engine() -> DuckDBEngine:
    """A database that the tests of a module read."""
    return create_users()


@contextmanager
def open_site(engine: DuckDBEngine, folder: Path) -> Iterator[Site]:
    """A site with one sync; the programs that it started end with the block."""
    with SqlServer(engine) as server, Collector() as collector:
        tap = {
            "host": "127.0.0.1",
            "port": server.port,
            "database": "shop",
            "username": "reader",
            "password": PASSWORD,
            "encrypt": "no",
            "syncs": [sync()],
        }
        target = {
            "destination": "customerio",
            "endpoint": collector.url,
            "write_key": DEFAULT_WRITE_KEY,
            "batch_max_calls": 20,
        }
        site = Site(folder, server, collector, tap, target)
        try:
            yield site
        finally:
            for process in site.started:
                process.kill()
                process.communicate()


@pytest.fixture
def site(engine: DuckDBEngine, tmp_path: Path) -> Iterator[Site]:
    """A site of the test's own."""
    with open_site(engine, tmp_path) as site:
        yield site


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """The sandbox's shop and its API, for projects."""
    engine = DuckDBEngine()
    create_shop(engine)
    with SqlServer(engine) as server, Collector() as collector:
        yield Shop(server, collector)
