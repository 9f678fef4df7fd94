"""Connections to SQL Server that go wrong; see proxy.py."""

from __future__ import annotations

import json
import os
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.sql_server.engine import DuckDBEngine
from sandbox.sql_server.server import SqlServer
from tests.reliability.amounts import some_of
from tests.reliability.proxy import KINDS, Direction, Kind, Proxy, Toxic
from tests.reliability.single_runs import Done, Programs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ROWS = 2000
WAYS: list[tuple[Direction, str]] = [
    *(("up", "arrow"), ("down", "odbc")),
    *(("up", "odbc"), ("down", "arrow")),
]
HARMLESS = ("latency", "bandwidth", "sliced", "slow close")

# Bytes that pass before the toxic. Measured: a client sends 88 + 438 bytes of TLS and 395 of login
# before its first statement, and 1,729 (mssql-python) or 2,305 (pyodbc) before the query; a server
# answers 900 and 381, and each row takes about 210. 1,024 rows are written at once.
PHASES: dict[str, dict[str, int]] = {
    "up": {"connecting": 0, "TLS": 200, "login": 700, "first statements": 940, "query": 1735},
    "down": {
        "connecting": 0,
        "TLS": 300,
        "login": 1000,
        "first rows": 20_000,
        "later rows": 300_000,
    },
}


@pytest.fixture(scope="module")
def server() -> Iterator[SqlServer]:
    """A SQL Server with two tables."""
    engine = DuckDBEngine()
    engine.create_database("shop")
    engine.add_login("reader", "Sandbox-1", role="reader")
    engine.run("shop", "CREATE TABLE users (id int, text nvarchar(100))")
    engine.load("shop", "users", [(number, "x" * 100) for number in range(ROWS)])
    with SqlServer(engine) as server:
        yield server


@pytest.fixture
def programs(nursery, tmp_path) -> Programs:
    """Both programs."""
    return Programs(nursery, tmp_path)


def _cells(kinds: Sequence[Kind]) -> list[tuple[Kind, Direction, str, str]]:
    """All of them, in an order in which evenly spread ones are of all kinds and phases."""
    return [
        (kind, direction, phase, reader)
        for number in range(5)
        for direction, reader in WAYS
        for phase in [list(PHASES[direction])[number]]
        for kind in (*kinds[number:], *kinds[:number])
    ]


def _toxic(kind: Kind, direction: Direction, phase: str, reader: str) -> Toxic:
    more = 575 if (phase, reader) == ("query", "odbc") else 0
    toxic = Toxic(kind, direction, after_bytes=PHASES[direction][phase] + more)
    return replace(toxic, bytes_per_second=1_000_000, slice_bytes=250)


def _config(port: int, reader: str) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": port,
        "database": "shop",
        "username": "reader",
        "password": "Sandbox-1",
        "trust_server_certificate": True,
        "reader": reader,
        "login_timeout_seconds": 2,
        "query_timeout_seconds": 2,
        "syncs": [
            {"name": "a_users", "type": "identify", "query": "SELECT id, text FROM users"},
            {"name": "b_others", "type": "identify", "query": "SELECT 7 AS id"},
        ],
    }


def _ids(run: Done, stream: str) -> list[int]:
    return [m["record"]["id"] for m in run.of_type("RECORD") if m["stream"] == stream]


def _bookmarks(run: Done) -> set[str]:
    """The syncs that any STATE of a run covers."""
    states = (message["value"].get("bookmarks", {}) for message in run.of_type("STATE"))
    return {name for state in states for name, mark in state.items() if "last_sync_time" in mark}


@pytest.mark.parametrize(
    ("kind", "direction", "phase", "reader"),
    some_of(_cells(KINDS), 20),
    ids=str,
)
def test_connection_that_goes_wrong_moves_no_bookmark(
    programs, server, kind, direction, phase, reader
):
    """A sync reads all rows, again if it must, or fails without a STATE; the others go on."""
    with Proxy(server.port, _toxic(kind, direction, phase, reader)) as proxy:
        run = programs.run_tap(_config(proxy.port, reader))

        assert proxy.harmed or kind == "slow close"
    assert _ids(run, "b_others") == [7]
    if "another run of it is not over" in run.log:
        # The server still holds the session that went silent, and its lock.
        assert (kind, _ids(run, "a_users"), _bookmarks(run)) == ("timeout", [], {"b_others"})
    elif run.exit_code == 0:
        assert _ids(run, "a_users") == list(range(ROWS))
        assert _bookmarks(run) == {"a_users", "b_others"}
        assert kind in HARMLESS or "Trying again" in run.log
    else:
        assert run.exit_code == 3, run.log
        assert _bookmarks(run) == {"b_others"}
        assert phase == "later rows" or kind == "timeout"


def test_signal_ends_a_login_that_hangs(nursery, server, tmp_path):
    """SIGTERM is heard while the server is silent in mid handshake, where no driver gives up."""
    with Proxy(server.port, _toxic("timeout", "down", "TLS", "arrow")) as proxy:
        config = {**_config(proxy.port, "arrow"), "login_timeout_seconds": 60}
        (tmp_path / "tap.json").write_text(json.dumps(config))
        with Path(os.devnull).open("r+b") as nothing:
            program = nursery.start(
                "tap", ["--config", "tap.json"], folder=tmp_path, files=(nothing.fileno(),) * 3
            )
        _wait_until(lambda: proxy.harmed)

        program.signal(signal.SIGTERM)

        assert program.wait(10) == 143
        program.kill()


def _wait_until(holds: Callable[[], object]) -> None:
    for _ in range(500):
        if holds():
            return
        threading.Event().wait(0.02)
    raise TimeoutError
