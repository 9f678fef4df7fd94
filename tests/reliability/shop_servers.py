"""SQL Servers of the sandbox with one table, and checks of the tap's output."""

from __future__ import annotations

import contextlib
import queue
from typing import TYPE_CHECKING, Any

from sandbox.sql_server.engine import DuckDBEngine
from sandbox.sql_server.server import SqlServer
from tests.reliability.oracle import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.reliability.single_runs import ProgramResult


@contextlib.contextmanager
def shop_server(rows: int) -> Iterator[SqlServer]:
    """A server whose table `users` has `rows` rows, with `id` from 0."""
    engine = DuckDBEngine()
    engine.create_database("shop")
    engine.add_login("reader", "Sandbox-1", role="reader")
    engine.run("shop", "CREATE TABLE users (id int, text nvarchar(100))")
    engine.load("shop", "users", [(number, "x" * 100) for number in range(rows)])
    with SqlServer(engine) as server:
        yield server


class ShopServers:
    """Several servers, each of which one thread at a time borrows; a context manager."""

    def __init__(self, count: int, rows: int) -> None:
        self._free = queue.SimpleQueue[SqlServer]()
        self._stack = contextlib.ExitStack()
        for _ in range(count):
            self._free.put(self._stack.enter_context(shop_server(rows)))

    @contextlib.contextmanager
    def borrow(self) -> Iterator[SqlServer]:
        """A server that no other thread uses meanwhile."""
        server = self._free.get()
        try:
            yield server
        finally:
            self._free.put(server)

    def __enter__(self) -> ShopServers:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def tap_config(port: int, reader: str, columns: str) -> dict[str, Any]:
    """Two syncs: all users, and one row with id 7 that no fault affects."""
    return {
        "host": "127.0.0.1",
        "port": port,
        "database": "shop",
        "username": "reader",
        "password": "Sandbox-1",
        "trust_server_certificate": True,
        "reader": reader,
        "syncs": [
            {"name": "a_users", "type": "identify", "query": f"SELECT {columns} FROM users"},
            {"name": "b_others", "type": "identify", "query": "SELECT 7 AS id"},
        ],
    }


def ids(run: ProgramResult, stream: str) -> list[int]:
    """The ids of a stream's records, in order."""
    return [m["record"]["id"] for m in run.of_type("RECORD") if m["stream"] == stream]


def bookmarks(run: ProgramResult) -> set[str]:
    """The syncs whose bookmark any STATE of a run holds."""
    states = (message["value"].get("bookmarks", {}) for message in run.of_type("STATE"))
    return {name for state in states for name, mark in state.items() if "last_sync_time" in mark}


def judge_run(run: ProgramResult, rows: int) -> Verdict:
    """The verdict over a run: a sync whose bookmark moved must have each of its rows once."""
    covered, read = bookmarks(run), ids(run, "a_users")
    is_premature = "a_users" in covered and read != list(range(rows))
    return Verdict(
        missing=("b_others" not in covered) + (ids(run, "b_others") != [7]),
        corrupt=len(set(read) - set(range(rows))),
        out_of_order=read != sorted(read),
        premature_states=is_premature,
    )
