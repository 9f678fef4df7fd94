"""A part of a run, as a task of a cluster: the same programs, over one partition of one sync."""

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
_MOST_LINES = 20
DEAD_LETTERS = "dead_letters.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a task is to do. Holds no secret, and no row.

    Attributes:
        sync: its name.
        number: of the partition; None for the whole sync.
        state: what the Singer state holds of the sync.
        tap: configuration of the tap, without secrets.
        target: configuration of the target, without secrets.
        tap_options: further words of the tap's command line.
    """

    sync: str
    number: int | None
    state: dict[str, Any]
    tap: Mapping[str, Any]
    target: Mapping[str, Any]
    tap_options: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PartResult:
    """What became of a part.

    Attributes:
        pipe: how the programs ended, and their reports.
        state: the last state that was safe; None if there was none.
        dead_letters: the files of dead letters, by name.
        log: warnings and errors that the programs told; if one failed, the end of what they told.
        worker: the address of the worker that did it.
    """

    pipe: PipeResult
    state: dict[str, Any] | None
    dead_letters: Mapping[str, bytes] = field(default_factory=dict)
    log: Sequence[str] = ()
    worker: str = ""


def run_part(part: Part) -> PartResult:
    """Run both programs over a part, on a worker. Raises UsageError if a secret is not there.

    They end when the task is cancelled, or the worker ends.
    """
    from distributed import get_worker  # noqa: PLC0415 - the extra `dask`

    worker = get_worker()
    pipe = Pipe()
    with _Watch(_is_wanted(worker, worker.get_current_task()), pipe.stop):
        return _run(part, pipe, str(worker.address))


def _run(part: Part, pipe: Pipe, worker: str) -> PartResult:
    states: list[bytes] = []
    with tempfile.TemporaryDirectory(prefix="mssql-reverse-etl-") as name:
        folder = Path(name)
        _write(folder / "tap.json", put_in(part.tap, os.environ))
        target = {**part.target, "dead_letter_path": str(folder / DEAD_LETTERS)}
        _write(folder / "target.json", put_in(target, os.environ))
        _write(folder / "state.json", part.state)
        options = PipeOptions(
            tap_configs=[str(folder / "tap.json")],
            target_configs=[str(folder / "target.json")],
            state=folder / "state.json",
            tap_options=[*named([part.sync]), *part.tap_options],
            log=folder / "log",
        )
        result = pipe.run(options, lambda state: states.__setitem__(slice(None), [state]))
        return PartResult(
            pipe=result,
            state=json.loads(states[0]) if states else None,
            dead_letters={p.name: p.read_bytes() for p in folder.glob("dead_letters*.jsonl")},
            log=_worth_telling((folder / "log").read_text(errors="replace"), result.exit_code),
            worker=worker,
        )


def _worth_telling(log: str, exit_code: int) -> list[str]:
    lines = log.splitlines()
    telling = [line for line in lines if "| WARNING " in line or "| ERROR " in line]
    return telling[-_MOST_LINES:] or (lines[-_MOST_LINES:] if exit_code else [])


def _write(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON that only this user reads; the folder is this user's, too."""
    path.touch(0o600)
    path.write_text(json.dumps(value), encoding="utf-8")


def _is_wanted(worker: Any, key: Any) -> Callable[[], bool]:
    """Whether the scheduler still wants a task that runs here: it does not when its driver died."""

    def is_wanted() -> bool:
        task = worker.state.tasks.get(key)
        is_alive = str(worker.status.name) in ("running", "paused", "closing_gracefully")
        return is_alive and task is not None and task.state == "executing"

    return is_wanted


class _Watch:
    """Calls `stop` once while the block runs, when it is no longer wanted."""

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
