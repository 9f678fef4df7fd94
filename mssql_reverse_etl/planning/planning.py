"""Makes the plan of a run: both programs once, without locks, and nothing is sent or kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mssql_reverse_etl.programs.child_events import EventReader
from mssql_reverse_etl.programs.pipe import Pipe, PipeOptions
from mssql_reverse_etl.programs.tap_options import tap_options_of
from mssql_reverse_etl.results.outcomes import RunOutcomes, SyncOutcome, SyncResult
from mssql_reverse_etl.results.plan import Plan, make_plan
from mssql_reverse_etl.run.call_types import refuse_unknown_call_types
from mssql_reverse_etl.run.sync_locks import lock_options
from program_kit.exit_codes import worst_exit_code
from program_kit.signals import record_stop_signals, signal_exit_code
from tap_mssql_query.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mssql_reverse_etl.programs.pipe import PipeResult
    from mssql_reverse_etl.run.sources import RunSources
    from tap_mssql_query.settings.model import TapSettings
    from tap_mssql_query.sync.run_options import RunOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Planning:
    """What a plan needs.

    Attributes:
        settings: the tap's settings, with the syncs to plan.
        sources: both configurations and the state, which is only read.
        options: how the run would differ from an ordinary one.
    """

    settings: TapSettings
    sources: RunSources
    options: RunOptions

    def plan(self) -> tuple[Plan, int]:
        """The plan, and the exit code that a run would have."""
        pipe = Pipe(self.sources.inherited, EventReader())
        received = record_stop_signals(pipe.stop)
        unknown = refuse_unknown_call_types(self.settings, self.sources.configuration)
        results = {
            name: SyncResult(SyncOutcome.FAILED, problem) for name, problem in unknown.items()
        }
        codes = [ConfigurationError.exit_code] if unknown else []
        names = [s.name for s in self.settings.syncs if s.enabled and s.name not in unknown]
        tap_report, target_report = {}, {}
        if names:
            result = pipe.run(self._options(names), lambda _: None)
            codes.append(result.exit_code)
            results |= self._results_of(result, names, is_interrupted=bool(received))
            tap_report, target_report = dict(result.tap_report), dict(result.target_report)
        plan = make_plan(
            self.settings.syncs,
            self.sources.configuration.destinations,
            results,
            tap_report,
            target_report,
        )
        return plan, signal_exit_code(received[0]) if received else worst_exit_code(codes)

    def _options(self, names: Sequence[str]) -> PipeOptions:
        """Without the locks of the syncs: a plan neither waits for a run nor stops one."""
        return PipeOptions(
            tap_configs=self.sources.taps,
            target_configs=self.sources.targets,
            state=self.sources.file.path if self.sources.file.exists() else None,
            tap_options=[*lock_options(names), *tap_options_of(self.options)],
            target_options=["--plan"],
            leaves_reports=True,
        )

    def _results_of(
        self, result: PipeResult, names: Sequence[str], *, is_interrupted: bool
    ) -> dict[str, SyncResult]:
        outcomes = RunOutcomes(result=result, is_interrupted=is_interrupted, moves_bookmarks=False)
        return {name: outcomes.of(name) for name in names}
