"""One run on this machine: both programs once, over all syncs whose locks are free."""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mssql_reverse_etl.errors import ReverseETLError
from mssql_reverse_etl.history.recording import RecordedSummary
from mssql_reverse_etl.programs.child_events import EventReader
from mssql_reverse_etl.programs.pipe import Pipe, PipeOptions
from mssql_reverse_etl.programs.tap_options import tap_options_of
from mssql_reverse_etl.results.outcomes import (
    RunOutcomes,
    SyncOutcome,
    SyncResult,
    describe_kill,
)
from mssql_reverse_etl.run.call_types import refuse_unknown_call_types
from mssql_reverse_etl.run.due import is_any_due
from mssql_reverse_etl.run.lock_watch import LockWatch
from mssql_reverse_etl.run.note import describe_options
from mssql_reverse_etl.run.retries import retry_rejected
from mssql_reverse_etl.run.sync_locks import SyncLocks, lock_options
from mssql_reverse_etl.screens.live import LiveRun, is_watched, showing
from mssql_reverse_etl.screens.run import NO_COMMANDS, show_run
from program_kit.events import IS_OUTCOME
from program_kit.exit_codes import worst_exit_code
from program_kit.report_file import report_path_of
from program_kit.signals import (
    is_signal_exit_code,
    record_stop_signals,
    signal_exit_code,
    signal_name,
)
from tap_mssql_query.errors import ConfigurationError
from tap_mssql_query.sync.report import add_failures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mssql_reverse_etl.programs.pipe import PipeResult
    from mssql_reverse_etl.results.summary import Summary
    from mssql_reverse_etl.run.sources import RunSources
    from tap_mssql_query.settings.model import SyncSettings, TapSettings
    from tap_mssql_query.sync.run_options import RunOptions

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRun:
    """What one run on this machine needs.

    Attributes:
        settings: the tap's settings, with the syncs to run.
        sources: both configurations and the state.
        options: how this run differs from an ordinary one.
    """

    settings: TapSettings
    sources: RunSources
    options: RunOptions

    def run(self) -> int:
        """Run all syncs that are due; the exit code. Raises StateNotWritten."""
        started = time.monotonic()
        live = LiveRun() if is_watched() else None
        pipe = Pipe(self.sources.inherited, EventReader(live.note if live else None))
        received = record_stop_signals(pipe.stop)
        unknown = refuse_unknown_call_types(self.settings, self.sources.configuration)
        summary = RecordedSummary(self.sources.record)
        codes = [ConfigurationError.exit_code] if unknown else []
        syncs = [s for s in self.settings.syncs if s.enabled and s.name not in unknown]
        with SyncLocks(self.settings, syncs) as locks:
            is_idle = bool(locks.held) and self._is_idle(locks, syncs)
            with self._watch(locks, pipe) as watch:
                if locks.held and not received and self.options.limit is None:
                    summary.add_retried(
                        retry_rejected(pipe, self.sources.configuration, self.sources.targets)
                    )
                if not locks.held or received or watch.has_lost or is_idle:
                    outcome = SyncOutcome.NOT_DUE if is_idle else SyncOutcome.INTERRUPTED
                    for name in locks.held:
                        summary.set_result(name, SyncResult(outcome))
                else:
                    with showing(live) if live else contextlib.nullcontext():
                        result = pipe.run(self._options(locks.held), self.sources.file.replace)
                    codes += self._note_result(
                        summary, result, locks.held, watch, is_interrupted=bool(received)
                    )
        codes += [locks.exit_code, watch.exit_code]
        self._note_failures(summary, {**unknown, **locks.failed}, watch, codes)
        for name in locks.taken:
            summary.set_result(name, SyncResult(SyncOutcome.LOCKED))
        summary.sort([sync.name for sync in self.settings.syncs])
        note = describe_options(self.options, has_run=True)
        ending = self._describe_interruption(received[0]) if received else note
        # Rows that the next run reads again leave no dead letters.
        commands = self.sources.commands if self.options.limit is None else NO_COMMANDS
        seconds = time.monotonic() - started
        codes.append(show_run(summary, commands, seconds=seconds, ending=ending))
        if received:
            logger.warning("%s", ending, extra=IS_OUTCOME)
            return signal_exit_code(received[0])
        return worst_exit_code(codes)

    @property
    def _repeat(self) -> str:
        """What the next run does not do by itself."""
        if not self.options.resync:
            return ""
        again = " ".join(f"--resync {name}" for name in self.options.resync)
        return f" It does not read everything again: repeat {again}."

    @property
    def _tap_report(self) -> Path | None:
        return report_path_of(self.sources.tap)

    def _is_idle(self, locks: SyncLocks, syncs: Sequence[SyncSettings]) -> bool:
        """Whether no sync is due, so that the programs need not start, and no report is wanted."""
        if self._tap_report is not None or self.sources.configuration.settings.report_path:
            return False
        held = [sync for sync in syncs if sync.name in locks.held]
        return not is_any_due(held, locks, self.options, self.sources.file.read())

    def _watch(self, locks: SyncLocks, pipe: Pipe) -> LockWatch:
        """Stops both programs when a lock is lost."""
        return LockWatch(
            [*locks.watched(), *self.sources.file.watched()] if locks.held else [], pipe.stop
        )

    def _options(self, syncs: Sequence[str]) -> PipeOptions:
        return PipeOptions(
            tap_configs=self.sources.taps,
            target_configs=self.sources.targets,
            state=self.sources.file.path if self.sources.file.exists() else None,
            tap_options=[*lock_options(syncs), *tap_options_of(self.options)],
        )

    def _note_result(
        self,
        summary: Summary,
        result: PipeResult,
        syncs: Sequence[str],
        watch: LockWatch,
        *,
        is_interrupted: bool,
    ) -> list[int]:
        """Add what both programs did; the exit codes."""
        is_stopped = is_interrupted or watch.has_lost
        if not is_stopped:
            _log_kills(result)
        lost = self._add(summary, result, syncs, is_interrupted=is_stopped)
        return [_exit_code_of(result, watch), lost]

    def _note_failures(
        self, summary: Summary, failed: Mapping[str, str], watch: LockWatch, codes: Sequence[int]
    ) -> None:
        """Add the syncs of which the programs do not know that they failed, and why."""
        unlocked = {
            name: loss
            for name, loss in watch.losses.items()
            if summary.outcome_of(name) == SyncOutcome.INTERRUPTED
        }
        failed = {**failed, **unlocked}
        for name, problem in failed.items():
            summary.set_result(name, SyncResult(SyncOutcome.FAILED, problem))
        if failed and self._tap_report is not None:
            add_failures(self._tap_report, failed, worst_exit_code(codes))

    def _add(
        self, summary: Summary, result: PipeResult, syncs: Sequence[str], *, is_interrupted: bool
    ) -> int:
        """Add the results to the summary; 0, or the exit code of rows lost between the programs."""
        outcomes = RunOutcomes(
            result=result,
            state=self.sources.file.read(),
            is_interrupted=is_interrupted,
            moves_bookmarks=self.options.moves_bookmarks,
        )
        summary.add(result.tap_report, result.target_report)
        code = 0
        for name in syncs:
            lost = "" if self.sources.tap.get("stream_maps") else outcomes.find_lost_rows(name)
            if lost:
                code = ReverseETLError.exit_code
            outcome = SyncResult(SyncOutcome.FAILED, lost) if lost else outcomes.of(name)
            summary.set_result(name, outcome)
        return code

    def _describe_interruption(self, signal_number: int) -> str:
        return (
            f"Interrupted by {signal_name(signal_number)}. The state file {self.sources.file.path} "
            "covers what was settled up to its last state. The next run continues from it and "
            f"sends again what it does not cover.{self._repeat}"
        )


def _log_kills(result: PipeResult) -> None:
    """Say which program a signal ended that this run did not send."""
    for program, code in (("tap", result.tap_code), ("target", result.target_code)):
        if code < 0 and not (program == "tap" and result.target_code):
            logger.error("%s", describe_kill(program, -code))


def _exit_code_of(result: PipeResult, watch: LockWatch) -> int:
    """The pipe's exit code; 0 if it only says that it was stopped because a lock was lost."""
    is_stopped = watch.has_lost and is_signal_exit_code(result.exit_code)
    return 0 if is_stopped else result.exit_code
