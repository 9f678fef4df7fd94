"""Runs the target: settings and an input → calls, dead letters, states and a summary."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from program_kit.events import sending_progress
from program_kit.report_file import report_path_of
from program_kit.signals import on_stop_signals
from target_pipelines.acknowledgements.newer_calls import marking_superseded
from target_pipelines.acknowledgements.stream_failures import StreamFailures
from target_pipelines.run.bookkeeping import find_newer_calls, keep_books
from target_pipelines.run.build import build_pipeline, print_state
from target_pipelines.run.configuration import load_configuration
from target_pipelines.run.dispatch import Dispatcher
from target_pipelines.run.dry_run import CountedDeadLetters
from target_pipelines.run.interruption import Interruption
from target_pipelines.run.lifecycle import running
from target_pipelines.run.replay import Replay, replay_settings
from target_pipelines.run.reporting import (
    Reports,
    measure_progress,
    outlook_of_replay,
    outlook_of_run,
    read_delivered_at,
    reporting,
)
from target_pipelines.run.retry import Retry, find_retryable
from target_pipelines.run.worker_pool import WorkerPool
from target_pipelines.singer.line_reader import read_blocks
from target_pipelines.singer.stdout import private_stdout

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

    from target_pipelines.acknowledgements.acks import State
    from target_pipelines.acknowledgements.newer_calls import NewerCalls
    from target_pipelines.run.configuration import Configuration
    from target_pipelines.run.lifecycle import Run
    from target_pipelines.singer.stdout import Write


class Runner:
    """Runs the target with these settings; a signal ends the run between two operations.

    A dry run prints the calls in row order. A plan is a dry run that only counts them, in the
    requests of a run.
    """

    def __init__(
        self, config: Mapping[str, Any], *, is_dry_run: bool = False, is_plan: bool = False
    ) -> None:
        self._config = config
        self._is_plan = is_plan
        self._is_dry_run = is_dry_run or is_plan
        self._interruption = Interruption()
        self._is_reading = False

    def catch_signals(self) -> None:
        """Let stop signals end the run."""
        on_stop_signals(self._note_signal)

    def deliver(self, source: IO[Any]) -> Counter[str]:
        """Deliver all records of `source`; message counts by type. Raises PipelinesError."""
        # A dry run prints no STATE, so that there is nothing to put back.
        reports, failures = Reports(), StreamFailures({} if self._is_dry_run else None)
        with (
            reporting(self._config, reports, failures, outlook_of_run),
            private_stdout() as write,
        ):
            configuration = replace(load_configuration(self._config), is_plan=self._is_plan)
            reports.open(configuration)
            newer_calls = find_newer_calls(configuration)
            run = self._open_run(configuration, reports, failures, newer_calls, write)
            dispatcher = Dispatcher(
                run,
                plugins=configuration.plugins,
                call_types=configuration.settings.call_types,
                failures=failures,
                started_at=configuration.started_at,
                check_interrupted=self._interruption.check,
            )
            watched = () if self._is_dry_run else newer_calls.values()
            progress = sending_progress(lambda: measure_progress(reports))
            with marking_superseded(watched), running(run, self._interruption, progress):
                for block in self._read_blocks(source):
                    dispatcher.dispatch(block)
            dispatcher.finish()
            failures.raise_failures()
            return dispatcher.message_counts

    def _open_run(
        self,
        configuration: Configuration,
        reports: Reports,
        failures: StreamFailures,
        newer_calls: Mapping[str, NewerCalls],
        write: Write,
    ) -> Run:
        write_state = _discard_state if self._is_dry_run else partial(print_state, write)
        staged = CountedDeadLetters() if self._is_dry_run else None
        prints_calls = self._is_dry_run and not self._is_plan
        if configuration.settings.processes > 1 and not prints_calls:
            return WorkerPool(
                configuration,
                reports=reports,
                failures=failures,
                newer_calls=newer_calls,
                write_state=write_state,
                check_interrupted=self._interruption.check,
                staged=staged,
            )
        books = keep_books(
            configuration,
            reports=reports,
            failures=failures,
            newer_calls=newer_calls,
            write_state=write_state,
            check_interrupted=self._interruption.check,
            staged=staged,
        )
        return build_pipeline(
            configuration,
            reports=reports,
            bookkeeping=books,
            check_interrupted=self._interruption.check,
            write_calls=write if prints_calls else None,
        )

    def replay(self, path: Path, streams: Collection[str] = ()) -> None:
        """Send the dead letters of a file, or of some streams, again. Raises PipelinesError."""
        delivered_at = read_delivered_at(report_path_of(self._config))
        self._send_again(
            lambda: Replay(
                path,
                replay_settings(load_configuration(self._config)),
                is_dry_run=self._is_dry_run,
                check_interrupted=self._interruption.check,
                delivered_at=delivered_at,
                streams=streams,
            )
        )

    def retry_rejected(self) -> None:
        """Send again what the destinations rejected, a few times each. Raises PipelinesError."""
        configuration = load_configuration(self._config)
        for destination in find_retryable(configuration):
            self._send_again(
                partial(
                    Retry, configuration, destination, check_interrupted=self._interruption.check
                )
            )

    def _send_again(self, open_replay: Callable[[], Replay]) -> None:
        reports, failures = Reports(is_replay=True), StreamFailures()
        with (
            reporting(self._config, reports, failures, outlook_of_replay),
            private_stdout() as write,
            ExitStack() as stack,
        ):
            replay = open_replay()
            stack.enter_context(replay.opened())
            configuration = replay.configuration
            reports.open(configuration)
            staged = replay.stage_dead_letters()
            pipeline = build_pipeline(
                configuration,
                reports=reports,
                bookkeeping=keep_books(
                    configuration,
                    reports=reports,
                    failures=failures,
                    newer_calls=find_newer_calls(configuration),
                    write_state=_discard_state,
                    check_interrupted=self._interruption.check,
                    staged=CountedDeadLetters() if self._is_dry_run else staged,
                ),
                check_interrupted=self._interruption.check,
                write_calls=write if self._is_dry_run else None,
            )
            with running(pipeline, self._interruption):
                replay.send(pipeline)
            replay.settle_same_rows()
            if not self._is_dry_run:
                replay.finish()

    def _read_blocks(self, source: IO[Any]) -> Iterator[bytes]:
        """Read blocks of the input; a signal interrupts the wait for the next one."""
        blocks = read_blocks(source)
        while True:
            self._is_reading = True
            try:
                self._interruption.check()
                block = next(blocks, None)
            finally:
                self._is_reading = False
            if block is None:
                return
            yield block

    def _note_signal(self, number: int) -> None:
        """Remember a signal; end the run at once only while it waits for input."""
        self._interruption.note(number)
        if self._is_reading:
            self._interruption.check()


def _discard_state(_: State) -> None:
    """Print no STATE: a dry run or a replay settles nothing of the tap's input."""
