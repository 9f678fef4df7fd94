"""A task of a run on a cluster: the same programs, over one partition of one sync."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.cluster.secret_refs import put_in
from mssql_reverse_etl.pipe import Pipe, PipeOptions, PipeResult
from mssql_reverse_etl.sync_locks import named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_CHECK_SECONDS = 1.0
_MAX_LOG_LINES = 20
DEAD_LETTERS = "dead_letters.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionTask:
    """The input of a task. Contains no secrets and no rows.

    Attributes:
        sync: its name.
        partition: its number; None for the whole sync.
        state: a Singer state with the bookmark of the sync.
        tap: configuration of the tap, without secrets.
        target: configuration of the target, without secrets.
        tap_options: further arguments of the tap.
    """

    sync: str
    partition: int | None
    state: dict[str, Any]
    tap: Mapping[str, Any]
    target: Mapping[str, Any]
    tap_options: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """The result of a task.

    Attributes:
        pipe: the exit codes and reports of the programs.
        state: the last STATE of the target; None if there was none.
        dead_letters: the contents of the dead-letter files, by name.
        log: warnings and errors of the programs; the end of the log if one failed without any.
        worker: the address of the worker that ran it.
    """

    pipe: PipeResult
    state: dict[str, Any] | None
    dead_letters: Mapping[str, bytes] = field(default_factory=dict)
    log: Sequence[str] = ()
    worker: str = ""


def run_task(task: PartitionTask) -> TaskResult:
    """Run both programs on a worker. Raises UsageError if a secret is missing there.

    They are stopped if the task is cancelled, and end with the worker.
    """
    from distributed import get_worker  # noqa: PLC0415 - the extra `dask`

    worker = get_worker()
    pipe = Pipe()
    with _Watchdog(_is_wanted(worker, worker.get_current_task()), pipe.stop):
        return _run(task, pipe, str(worker.address))


def _run(task: PartitionTask, pipe: Pipe, worker: str) -> TaskResult:
    states: list[bytes] = []
    with tempfile.TemporaryDirectory(prefix="mssql-reverse-etl-") as name:
        folder = Path(name)
        _write(folder / "tap.json", put_in(task.tap, os.environ))
        target = {**task.target, "dead_letter_path": str(folder / DEAD_LETTERS)}
        _write(folder / "target.json", put_in(target, os.environ))
        _write(folder / "state.json", task.state)
        options = PipeOptions(
            tap_configs=[str(folder / "tap.json")],
            target_configs=[str(folder / "target.json")],
            state=folder / "state.json",
            tap_options=[*named([task.sync]), *task.tap_options],
            log=folder / "log",
        )
        result = pipe.run(options, lambda state: states.__setitem__(slice(None), [state]))
        return TaskResult(
            pipe=result,
            state=json.loads(states[0]) if states else None,
            dead_letters={p.name: p.read_bytes() for p in folder.glob("dead_letters*.jsonl")},
            log=_relevant_lines((folder / "log").read_text(errors="replace"), result.exit_code),
            worker=worker,
        )


def _relevant_lines(log: str, exit_code: int) -> list[str]:
    lines = log.splitlines()
    relevant = [line for line in lines if "| WARNING " in line or "| ERROR " in line]
    return relevant[-_MAX_LOG_LINES:] or (lines[-_MAX_LOG_LINES:] if exit_code else [])


def _write(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON that only this user can read."""
    path.touch(0o600)
    path.write_text(json.dumps(value), encoding="utf-8")


def _is_wanted(worker: Any, key: Any) -> Callable[[], bool]:
    """A function that is true while the scheduler wants the task: until its coordinator is gone."""

    def is_wanted() -> bool:
        task = worker.state.tasks.get(key)
        is_alive = str(worker.status.name) in ("running", "paused", "closing_gracefully")
        return is_alive and task is not None and task.state == "executing"

    return is_wanted


class _Watchdog:
    """While the block runs, calls `stop` once when the task is no longer wanted."""

    def __init__(self, is_wanted: Callable[[], bool], stop: Callable[[], None]) -> None:
        self._is_wanted = is_wanted
        self._stop = stop
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_CHECK_SECONDS):
            if not self._is_wanted():
                self._stop()
                return
