"""Faults inside a started program: it kills, stops or signals itself at a chosen call.

Used only in the processes that these tests start. A point is a function of the program; the fault
happens at the n-th call in a process: before it, after it, or, for a write, halfway through it.
"""

from __future__ import annotations

import itertools
import os
import queue
import signal
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from urllib3.connection import HTTPConnection

from tap_mssql_query.line_writer import LineWriter
from tap_mssql_query.mssql import connections, transient_errors
from tap_mssql_query.mssql.app_lock import acquire_sync_lock
from tap_mssql_query.mssql.connect import connect, server_time
from tap_mssql_query.sync import read_strategy, run
from tap_mssql_query.sync.query import query_of
from tap_mssql_query.sync.run import SyncRun
from tap_mssql_query.sync.window import find_window
from target_pipelines.acknowledgements.acks import Acks
from target_pipelines.acknowledgements.dead_letters import DeadLetters
from target_pipelines.delivery import sender_pool
from target_pipelines.delivery.backoff import backoff_seconds
from target_pipelines.delivery.batching import split_batch
from target_pipelines.run import runner
from target_pipelines.run.build import print_state
from target_pipelines.run.destination_pipeline import DestinationPipeline
from tests.reliability.replacements import find_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Point:
    """A function of a program, and the module or class in which the program looks it up."""

    owner: object
    function: Callable[..., Any]

    @property
    def name(self) -> str:
        """What the owner calls the function. Raises LookupError if it does not have it."""
        return find_name(self.owner, self.function)


TARGET_POINTS: Mapping[str, Point] = {
    "read": Point(os, os.read),
    "encode": Point(DestinationPipeline, DestinationPipeline.encode_block),
    "flush": Point(DestinationPipeline, DestinationPipeline.flush),
    "connect": Point(HTTPConnection, HTTPConnection.connect),
    "send": Point(socket.socket, socket.socket.sendall),
    "receive": Point(socket.SocketIO, socket.SocketIO.readinto),
    "retry": Point(sender_pool, backoff_seconds),
    "split": Point(sender_pool, split_batch),
    "write": Point(os, os.write),  # dead letters, states, lines for workers
    "fsync": Point(os, os.fsync),
    "dead letter": Point(DeadLetters, DeadLetters.append),
    "settle": Point(Acks, Acks.settle),
    "add state": Point(Acks, Acks.add_state),
    "print state": Point(runner, print_state),
    "drain": Point(DestinationPipeline, DestinationPipeline.drain),
}
TAP_POINTS: Mapping[str, Point] = {
    "connect": Point(connections, connect),
    "server time": Point(run, server_time),
    "find window": Point(run, find_window),
    "lock": Point(run, acquire_sync_lock),
    "query": Point(read_strategy, query_of),
    "fetch": Point(queue.Queue, queue.Queue.get),
    "retry": Point(transient_errors, transient_errors.retry_delay_seconds),
    "write": Point(LineWriter, LineWriter.write_lines),
    "move bookmark": Point(SyncRun, SyncRun._move_bookmark),
}
POINTS: Mapping[str, Mapping[str, Point]] = {"target": TARGET_POINTS, "tap": TAP_POINTS}


@dataclass(frozen=True, slots=True)
class Injection:
    """What goes wrong within one program.

    Attributes:
        point: the name of a point; empty for none.
        number: which call of the function the fault is bound to.
        when: where the fault happens, relative to that call.
        signal_number: the signal that the program then sends itself.
        by_worker: a worker process signals itself instead of the program.
        removed: names of guards that the program runs without; see `guards`.
    """

    point: str = ""
    number: int = 1
    when: Literal["before", "after", "halfway"] = "before"
    signal_number: int = signal.SIGKILL
    by_worker: bool = False
    removed: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values, which the constructor takes."""
        return asdict(self)


NO_INJECTION = Injection()
STRUCK_FILE = "struck"
"""In the program's folder, once its fault has happened; a run may end before its fault."""


def inject(program: str, injection: Injection) -> None:
    """Prepare this process, which is about to become a program."""
    if injection.point:
        point = POINTS[program][injection.point]
        setattr(point.owner, point.name, _armed(point.function, injection))


def _armed(function: Callable[..., Any], injection: Injection) -> Callable[..., Any]:
    calls = itertools.count(1)
    program = os.getpid()  # workers are forked later

    def strike() -> None:
        Path(STRUCK_FILE).touch()
        os.kill(os.getpid() if injection.by_worker else program, injection.signal_number)

    def call(*args: Any, **kwargs: Any) -> Any:
        if next(calls) != injection.number:
            return function(*args, **kwargs)
        if injection.when == "halfway":
            file, data = args
            written = function(file, data[: len(data) // 2])
            strike()
            return written
        if injection.when == "before":
            strike()
        result = function(*args, **kwargs)
        if injection.when == "after":
            strike()
        return result

    return call
