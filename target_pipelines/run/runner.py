"""Runs the target: settings and an input → calls, dead letters, states and a summary."""

from __future__ import annotations

import contextlib
import signal
import threading
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from target_pipelines.acknowledgements.report import RunReport, print_summaries, write_report
from target_pipelines.api.errors import Interrupted
from target_pipelines.run.build import build_pipeline, print_state
from target_pipelines.run.configuration import load_configuration
from target_pipelines.run.dispatch import Dispatcher
from target_pipelines.run.lifecycle import running
from target_pipelines.run.replay import Replay, as_replay
from target_pipelines.run.worker_pool import WorkerPool
from target_pipelines.singer.line_reader import read_blocks
from target_pipelines.singer.stdout import private_stdout

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Mapping

    from target_pipelines.acknowledgements.acks import State
    from target_pipelines.run.configuration import Configuration
    from target_pipelines.run.lifecycle import Run


class Runner:
    """Runs the target with these settings; a signal ends the run between two operations."""

    def __init__(self, config: Mapping[str, Any], *, is_dry_run: bool = False) -> None:
        self._config = config
        self._is_dry_run = is_dry_run
        self._signal: int | None = None
        self._is_reading = False

    def catch_signals(self) -> None:
        """Let signals end the run; only the main thread can install handlers."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, self._note_signal)

    def deliver(self, source: IO[Any]) -> Counter[str]:
        """Deliver all records of `source`; message counts by type. Raises PipelinesError."""
        with private_stdout() as write:
            configuration = load_configuration(self._config)
            reports = _new_reports(configuration)
            options: dict[str, Any] = {
                "reports": reports,
                "check_interrupted": self._check_interrupted,
                "write_state": partial(print_state, write),
            }
            run: Run
            if self._is_dry_run:
                options["write_state"] = _discard_state
                run = build_pipeline(configuration, write_calls=write, **options)
            elif configuration.settings.processes > 1:
                run = WorkerPool(configuration, **options)
            else:
                run = build_pipeline(configuration, **options)
            dispatcher = Dispatcher(
                run,
                plugins=configuration.plugins,
                call_types=configuration.settings.call_types,
                started_at=configuration.started_at,
            )
            with _reporting(configuration, reports), running(run):
                for block in self._read_blocks(source):
                    dispatcher.dispatch(block)
            return dispatcher.message_counts

    def replay(self, path: Path) -> None:
        """Send the dead letters of a file again. Raises PipelinesError."""
        with private_stdout() as write:
            configuration = as_replay(load_configuration(self._config))
            replay = Replay(path, configuration)
            reports = _new_reports(configuration)
            pipeline = build_pipeline(
                configuration,
                reports=reports,
                write_state=_discard_state,
                check_interrupted=self._check_interrupted,
                dead_letters=replay.open_dead_letters(),
                write_calls=write if self._is_dry_run else None,
            )
            with _reporting(configuration, reports), running(pipeline):
                replay.send(pipeline)
            if not self._is_dry_run:
                replay.finish()

    def _read_blocks(self, source: IO[Any]) -> Iterator[bytes]:
        """Read blocks of the input; a signal interrupts the wait for the next one."""
        blocks = read_blocks(source)
        while True:
            self._is_reading = True
            try:
                self._check_interrupted()
                block = next(blocks, None)
            finally:
                self._is_reading = False
            if block is None:
                return
            yield block

    def _note_signal(self, number: int, _: object) -> None:
        """Remember a signal; end the run at once only while it waits for input."""
        self._signal = number
        if self._is_reading:
            self._check_interrupted()

    def _check_interrupted(self) -> None:
        if self._signal is not None:
            raise Interrupted(self._signal)


def _new_reports(configuration: Configuration) -> dict[str, RunReport]:
    return {settings.destination_name: RunReport() for settings in configuration.destinations}


@contextlib.contextmanager
def _reporting(configuration: Configuration, reports: Mapping[str, RunReport]) -> Iterator[None]:
    """Print the summary at the end of the block, whether or not it fails."""
    try:
        yield
    finally:
        print_summaries(reports)
        if path := configuration.settings.report_path:
            write_report(reports, Path(path))


def _discard_state(_: State) -> None:
    """Print no STATE: a dry run or a replay settles nothing of the tap's input."""
