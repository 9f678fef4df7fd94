"""One run on this machine: both programs once, over all syncs whose locks are free."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mssql_reverse_etl.call_types import find_unknown_call_types
from mssql_reverse_etl.errors import ReverseETLError
from mssql_reverse_etl.history.recording import RecordedSummary
from mssql_reverse_etl.history.run_record import RunRecord
from mssql_reverse_etl.lock_watch import LockWatch
from mssql_reverse_etl.outcomes import RunOutcomes, SyncOutcome, SyncResult
from mssql_reverse_etl.pipe import Pipe, PipeOptions
from mssql_reverse_etl.retries import retry_rejected
from mssql_reverse_etl.sync_locks import SyncLocks, lock_options
from program_kit.exit_codes import worst_exit_code
from program_kit.signals import (
    is_signal_exit_code,
    record_stop_signals,
    signal_exit_code,
    signal_name,
)
from tap_mssql_query.errors import ConfigurationError
from tap_mssql_query.sync.report import add_failures

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mssql_reverse_etl.pipe import PipeResult
    from mssql_reverse_etl.state_file import StateFile
    from mssql_reverse_etl.summary import Summary
    from tap_mssql_query.settings.model import TapSettings
    from target_pipelines.run.configuration import Configuration

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRun:
    """What one run on this machine needs.

    Attributes:
        settings: the tap's settings.
        configuration: the target's.
        file: the state file.
        taps: configurations of the tap, for its command line.
        targets: the same for the target.
        tap_options: further arguments of the tap.
        tap_report: where the tap's report is to be, if anywhere.
        inherited: file descriptors of configurations.
        has_stream_maps: whether the tap may write more or fewer rows than it reads.
        record: what the history keeps of the run.
    """

    settings: TapSettings
    configuration: Configuration
    file: StateFile
    taps: Sequence[str]
    targets: Sequence[str]
    tap_options: Sequence[str] = field(default=())
    tap_report: Path | None = None
    inherited: Sequence[int] = ()
    has_stream_maps: bool = False
    record: RunRecord = field(default_factory=RunRecord)

    def run(self) -> int:
        """Run all syncs that are due; the exit code. Raises StateNotWritten."""
        pipe = Pipe(self.inherited)
        received = record_stop_signals(pipe.stop)
        unknown = find_unknown_call_types(self.settings, self.configuration)
        for name, problem in unknown.items():
            logger.error("sync=%s failed: %s", name, problem)
        summary = RecordedSummary(self.record)
        codes = [ConfigurationError.exit_code] if unknown else []
        syncs = [s for s in self.settings.syncs if s.enabled and s.name not in unknown]
        with SyncLocks(self.settings, syncs) as locks, self._watch(locks, pipe) as watch:
            if locks.held and not received:
                retry_rejected(pipe, self.configuration, self.targets)
            if locks.held and not received and not watch.has_lost:
                result = pipe.run(self._options(locks.held), self.file.replace)
                is_interrupted = bool(received) or watch.has_lost
                codes.append(_exit_code_of(result, watch))
                codes.append(self._add(summary, result, locks.held, is_interrupted=is_interrupted))
            else:
                for name in locks.held:
                    summary.set_result(name, SyncResult(SyncOutcome.INTERRUPTED))
        codes += [locks.exit_code, watch.exit_code]
        unlocked = {
            name: loss
            for name, loss in watch.losses.items()
            if summary.outcome_of(name) == SyncOutcome.INTERRUPTED
        }
        failed = {**unknown, **locks.failed, **unlocked}
        for name, problem in failed.items():
            summary.set_result(name, SyncResult(SyncOutcome.FAILED, problem))
        if failed and self.tap_report is not None:
            add_failures(self.tap_report, failed, worst_exit_code(codes))
        for name in locks.taken:
            summary.set_result(name, SyncResult(SyncOutcome.LOCKED))
        summary.show()
        if received:
            self._say_interrupted(received[0])
            return signal_exit_code(received[0])
        return worst_exit_code(codes)

    def _watch(self, locks: SyncLocks, pipe: Pipe) -> LockWatch:
        """Stops both programs when a lock is lost."""
        return LockWatch([*locks.watched(), *self.file.watched()] if locks.held else [], pipe.stop)

    def _options(self, syncs: Sequence[str]) -> PipeOptions:
        return PipeOptions(
            tap_configs=self.taps,
            target_configs=self.targets,
            state=self.file.path if self.file.exists() else None,
            tap_options=[*lock_options(syncs), *self.tap_options],
        )

    def _add(
        self, summary: Summary, result: PipeResult, syncs: Sequence[str], *, is_interrupted: bool
    ) -> int:
        """Add the results to the summary; 0, or the exit code of rows lost between the programs."""
        outcomes = RunOutcomes(result=result, state=self.file.read(), is_interrupted=is_interrupted)
        summary.add(result.tap_report, result.target_report)
        code = 0
        for name in syncs:
            lost = "" if self.has_stream_maps else outcomes.find_lost_rows(name)
            if lost:
                code = ReverseETLError.exit_code
            outcome = SyncResult(SyncOutcome.FAILED, lost) if lost else outcomes.of(name)
            summary.set_result(name, outcome)
        return code

    def _say_interrupted(self, signal_number: int) -> None:
        logger.warning(
            "Interrupted by %s. The state file %s covers what was settled up to its last state. "
            "The next run continues from it and sends again what it does not cover.",
            signal_name(signal_number),
            self.file.path,
        )


def _exit_code_of(result: PipeResult, watch: LockWatch) -> int:
    """The pipe's exit code; 0 if it only says that it was stopped because a lock was lost."""
    is_stopped = watch.has_lost and is_signal_exit_code(result.exit_code)
    return 0 if is_stopped else result.exit_code
