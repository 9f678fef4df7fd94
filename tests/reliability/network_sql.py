"""Faulty connections to SQL Server; see proxy.py."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.reliability.proxy import KINDS, Direction, Kind, Proxy, Toxic
from tests.reliability.registry import Outcome, Soak, SoakRow, run_cases
from tests.reliability.shop_servers import (
    ShopServers,
    bookmarks,
    ids,
    judge_run,
    tap_config,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.reliability.single_runs import Programs

Cell = tuple[Kind, Direction, str, str]
"""The kind of fault, its direction, its phase, and the reader."""
_THREADS = 4
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


def _cells(kinds: Sequence[Kind]) -> list[Cell]:
    """All cells, in an order in which evenly spaced ones cover all kinds and phases."""
    return [
        (kind, direction, phase, reader)
        for number in range(5)
        for direction, reader in WAYS
        for phase in [list(PHASES[direction])[number]]
        for kind in (*kinds[number:], *kinds[:number])
    ]


def make_toxic(kind: Kind, direction: Direction, phase: str, reader: str) -> Toxic:
    """The fault of the first connection, for a direction, phase and reader."""
    more = 575 if (phase, reader) == ("query", "odbc") else 0
    toxic = Toxic(kind, direction, after_bytes=PHASES[direction][phase] + more)
    return replace(toxic, bytes_per_second=1_000_000, slice_bytes=250)


CELLS = _cells(KINDS)


def read_through_fault(programs: Programs, port: int, cell: Cell) -> Outcome:
    """A sync reads all rows, with a retry if needed, or fails without a STATE; others are read.

    A fault that comes after everything was read has no effect: it was not injected.
    """
    kind, _, phase, reader = cell
    # Only a connection that went silent needs the timeouts; on a busy machine others take longer.
    seconds = 5 if kind == "timeout" else 60
    limits = {"login_timeout_seconds": seconds, "query_timeout_seconds": seconds}
    with Proxy(port, make_toxic(*cell)) as proxy:
        run = programs.run_tap({**tap_config(proxy.port, reader, "id, text"), **limits})
        was_injected = proxy.affected > 0
    if "another run of it is in progress" in run.log:
        # The server still holds the silent session and its lock.
        assert (kind, ids(run, "a_users"), bookmarks(run)) == ("timeout", [], {"b_others"})
    elif run.exit_code == 0:
        assert bookmarks(run) == {"a_users", "b_others"}
        was_injected &= kind in HARMLESS or "Trying again" in run.log
    else:
        assert run.exit_code == 3, run.log
        assert bookmarks(run) == {"b_others"}
        assert phase == "later rows" or kind == "timeout"
    return Outcome(was_injected, judge_run(run, ROWS))


def soak(soak: Soak) -> Iterable[SoakRow]:
    """Each kind of fault, in each phase of a run."""
    with ShopServers(_THREADS, ROWS) as servers:

        def try_cell(cell: Cell) -> Outcome:
            with servers.borrow() as server:
                return read_through_fault(soak.make_programs(), server.port, cell)

        yield run_cases(soak, "network to SQL Server", CELLS, try_cell, threads=_THREADS)
