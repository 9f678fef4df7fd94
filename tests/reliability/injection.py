"""Faults inside of a started program: it kills, stops or signals itself at a chosen call.

For the started processes of these tests alone. A point is a function of the program; the fault
happens at its n-th call in a process: before it, after it, or (of a write) halfway.
"""

from __future__ import annotations

import importlib
import itertools
import os
import signal
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Place = tuple[str, str]
"""Where a function is looked up: a module, or a class in it, and its name there."""

TARGET_POINTS: Mapping[str, Place] = {
    "read": ("os", "read"),
    "encode": ("target_pipelines.run.destination_pipeline:Route", "take_block"),
    "hand over": ("target_pipelines.run.destination_pipeline:Route", "hand_over"),
    "connect": ("urllib3.connection:HTTPConnection", "connect"),
    "send": ("socket:socket", "sendall"),
    "receive": ("socket:SocketIO", "readinto"),
    "retry": ("target_pipelines.delivery.senders", "backoff_seconds"),
    "split": ("target_pipelines.delivery.senders", "split_batch"),
    "write": ("os", "write"),  # dead letters, states, lines for workers
    "fsync": ("os", "fsync"),
    "dead letter": ("target_pipelines.acknowledgements.dead_letters:DeadLetters", "add"),
    "settle": ("target_pipelines.acknowledgements.acks:Acks", "settle"),
    "add state": ("target_pipelines.acknowledgements.acks:Acks", "add_state"),
    "print state": ("target_pipelines.run.runner", "print_state"),
    "drain": ("target_pipelines.run.destination_pipeline:Route", "drain"),
}
TAP_POINTS: Mapping[str, Place] = {
    "connect": ("tap_mssql_query.sync.run", "connect"),
    "server time": ("tap_mssql_query.sync.run", "server_time"),
    "find window": ("tap_mssql_query.sync.run", "find_window"),
    "lock": ("tap_mssql_query.sync.run", "acquire_sync_lock"),
    "query": ("tap_mssql_query.sync.read_strategy", "render_query"),
    "fetch": ("queue:Queue", "get"),
    "retry": ("tap_mssql_query.mssql.transient_errors", "retry_delay_seconds"),
    "write": ("tap_mssql_query.line_writer:LineWriter", "write_lines"),
    "move bookmark": ("tap_mssql_query.sync.run:SyncRun", "_move_bookmark"),
}
POINTS: Mapping[str, Mapping[str, Place]] = {"target": TARGET_POINTS, "tap": TAP_POINTS}


@dataclass(frozen=True, slots=True)
class Injection:
    """What is to go wrong within one program.

    Attributes:
        point: the name of a point; empty for none.
        number: at which call of it.
        when: around that call.
        signal_number: what the program then sends itself.
        by_worker: a worker process sends it to itself, rather than to the program.
        removed: names of guards that it runs without; see `guards`.
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


def inject(program: str, injection: Injection) -> None:
    """Prepare this process, which is about to become a program."""
    if not injection.point:
        return
    owner, name = find_place(POINTS[program][injection.point])
    setattr(owner, name, _armed(getattr(owner, name), injection))


def find_place(place: Place) -> tuple[Any, str]:
    """The module or class that a place names, and the name in it."""
    path, name = place
    module_name, _, class_name = path.partition(":")
    module = importlib.import_module(module_name)
    return (getattr(module, class_name) if class_name else module), name


def _armed(function: Callable[..., Any], injection: Injection) -> Callable[..., Any]:
    calls = itertools.count(1)
    program = os.getpid()  # workers are forked later

    def strike() -> None:
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
