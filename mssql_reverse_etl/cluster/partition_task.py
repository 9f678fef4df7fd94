"""A task of the cluster: tap and target on a worker, over one partition or a whole sync."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.cluster.secret_refs import resolve_secrets
from mssql_reverse_etl.errors import UsageError
from mssql_reverse_etl.programs.pipe import Pipe, PipeOptions, PipeResult
from mssql_reverse_etl.run.sync_locks import lock_options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_POLL_SECONDS = 1.0
_MAX_LOG_LINES = 20
DEAD_LETTERS = "dead_letters.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionTask:
    """The input of a task. Holds no secret and no row.

    Attributes:
        sync: its name.
        state: the Singer state of the sync.
        tap: configuration of the tap, with references to secrets.
        target: configuration of the target, with references to secrets.
        tap_options: further arguments of the tap, such as the partition.
    """

    sync: str
    state: dict[str, Any]
    tap: Mapping[str, Any]
    target: Mapping[str, Any]
    tap_options: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """The result of a task.

    Attributes:
        pipe: exit codes and reports of both programs.
        state: the last safe state; None if there was none.
        dead_letters: the files of dead letters, by name.
        log: warnings and errors of both programs; without any, the last lines of a failed run.
        worker: the address of the worker that ran it.
    """

    pipe: PipeResult
    state: dict[str, Any] | None
    dead_letters: Mapping[str, bytes] = field(default_factory=dict)
    log: Sequence[str] = ()
    worker: str = ""


class TaskFailed(Exception):  # noqa: N818 - reads as what happened
    """A worker could not run the programs, for lack of disk space or memory for example."""

    def __init__(self, worker: str, reason: str) -> None:
        super().__init__(worker, reason)  # both: an exception is pickled with its arguments
        self.worker = worker
        self.reason = reason


def run_task(task: PartitionTask) -> TaskResult:
    """Run both programs on a worker; they end when the task is cancelled or the worker closes.

    Raises UsageError if a secret is not in the worker's environment, TaskFailed if the programs
    cannot be run.
    """
    from distributed import get_worker  # noqa: PLC0415 - the extra `dask`

    worker = get_worker()
    address = str(worker.address)
    pipe = Pipe()
    with _CancellationWatch(_is_executing(worker, worker.get_current_task()), pipe.stop):
        try:
            return _run(task, pipe, address)
        except UsageError:
            raise
        except Exception as error:  # whatever it is, this worker failed and another may not
            raise TaskFailed(address, _describe(error)) from error


def _run(task: PartitionTask, pipe: Pipe, worker: str) -> TaskResult:
    states: list[bytes] = []
    with tempfile.TemporaryDirectory(prefix="mssql-reverse-etl-") as name:
        folder = Path(name)
        _write_private(folder / "tap.json", resolve_secrets(task.tap, os.environ))
        target = {**task.target, "dead_letter_path": str(folder / DEAD_LETTERS)}
        _write_private(folder / "target.json", resolve_secrets(target, os.environ))
        _write_private(folder / "state.json", task.state)
        options = PipeOptions(
            tap_configs=[str(folder / "tap.json")],
            target_configs=[str(folder / "target.json")],
            state=folder / "state.json",
            tap_options=[*lock_options([task.sync]), *task.tap_options],
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


def _describe(error: Exception) -> str:
    """A word for an error; its own text may hold values."""
    return getattr(error, "strerror", None) or type(error).__name__


def _relevant_lines(log: str, exit_code: int) -> list[str]:
    lines = log.splitlines()
    problems = [line for line in lines if "| WARNING " in line or "| ERROR " in line]
    return problems[-_MAX_LOG_LINES:] or (lines[-_MAX_LOG_LINES:] if exit_code else [])


def _write_private(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON to a file that only this user can read."""
    path.touch(0o600)
    path.write_text(json.dumps(value), encoding="utf-8")


def _is_executing(worker: Any, key: Any) -> Callable[[], bool]:
    """Whether the scheduler still wants the task; without its client the scheduler cancels it."""

    def is_executing() -> bool:
        task = worker.state.tasks.get(key)
        is_alive = str(worker.status.name) in ("running", "paused", "closing_gracefully")
        return is_alive and task is not None and task.state == "executing"

    return is_executing


class _CancellationWatch:
    """Calls `stop` once if the task is cancelled while the block runs."""

    def __init__(self, is_executing: Callable[[], bool], stop: Callable[[], None]) -> None:
        self._is_executing = is_executing
        self._stop = stop
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(_POLL_SECONDS):
            if not self._is_executing():
                self._stop()
                return
