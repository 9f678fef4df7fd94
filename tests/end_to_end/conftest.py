"""Both programs between an empty shop in the sandbox's SQL Server and the collector."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.collector import DEFAULT_WRITE_KEY, Collector
from sandbox.shop import DATABASE, PASSWORD, READER, SYNCS
from sandbox.shop.creation import create_empty_shop
from sandbox.sql_server.engine import DuckDBEngine
from sandbox.sql_server.server import SqlServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PROGRAMS = Path(sys.executable).parent
SYNCS_BY_TYPE = {sync["type"]: sync for sync in reversed(SYNCS)}


@dataclass(frozen=True)
class PipeRun:
    """The result of one run of both programs: exit code of the pipe, states, logs, dead letters."""

    exit_code: int
    states: list[dict[str, Any]]
    log: str
    dead_letters: list[dict[str, Any]]


class Clock:
    """SQL Server's clock, which tests set."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        """The time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The clock for servers that use it."""
    return Clock()


@pytest.fixture
def engine() -> DuckDBEngine:
    """A database `shop` whose tables are empty."""
    engine = DuckDBEngine()
    create_empty_shop(engine)
    return engine


@pytest.fixture
def server(engine: DuckDBEngine) -> Iterator[SqlServer]:
    """A SQL Server on loopback."""
    with SqlServer(engine) as server:
        yield server


@pytest.fixture
def collector() -> Iterator[Collector]:
    """The Data Pipelines API on loopback."""
    with Collector() as collector:
        yield collector


@pytest.fixture
def tap_config(server: SqlServer) -> dict[str, Any]:
    """Settings of the tap; tests add their syncs."""
    return describe_tap(server)


def describe_tap(server: SqlServer) -> dict[str, Any]:
    """Settings of the tap for a server, without syncs."""
    return {
        "host": "127.0.0.1",
        "port": server.port,
        "database": DATABASE,
        "username": READER,
        "password": PASSWORD,
        "trust_server_certificate": True,
    }


@pytest.fixture
def target_config(collector: Collector) -> dict[str, Any]:
    """Settings of the target: one connection, so that calls arrive in the order of the rows."""
    return describe_target(collector)


def describe_target(collector: Collector) -> dict[str, Any]:
    """Settings of the target for a collector, with one connection."""
    return {
        "destination": "customerio",
        "endpoint": collector.url,
        "write_key": DEFAULT_WRITE_KEY,
        "concurrency": 1,
    }


@pytest.fixture
def run_pipe(tmp_path: Path) -> Callable[..., PipeRun]:
    """Runs `tap-mssql-query | target-pipelines` in a shell."""

    def run(tap: dict[str, Any], target: dict[str, Any], state: Any = None) -> PipeRun:
        for name, content in (("tap", tap), ("target", target), ("state", state)):
            (tmp_path / f"{name}.json").write_text(json.dumps(content))
        with_state = "" if state is None else "--state state.json "
        command = (
            f"tap-mssql-query --config tap.json {with_state}| target-pipelines --config target.json"
        )
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=tmp_path,
            env={**os.environ, "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        letters = tmp_path / "dead_letters.jsonl"
        lines = letters.read_text().splitlines() if letters.exists() else []
        return PipeRun(
            done.returncode,
            [json.loads(line) for line in done.stdout.splitlines()],
            done.stderr,
            [json.loads(line) for line in lines],
        )

    return run
