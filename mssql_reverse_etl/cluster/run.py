"""One run on a cluster: plan the tasks, start or join the cluster, run the coordinator."""

from __future__ import annotations

import copy
import logging
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from mssql_reverse_etl.cluster.connection import count_slots, open_cluster
from mssql_reverse_etl.cluster.coordinator import Coordinator
from mssql_reverse_etl.cluster.partition_plan import plan_sync
from mssql_reverse_etl.cluster.task_settings import prepare_task_settings
from mssql_reverse_etl.errors import UsageError
from mssql_reverse_etl.history.recording import RecordedSummary
from mssql_reverse_etl.results.outcomes import SyncOutcome, SyncResult
from mssql_reverse_etl.run.call_types import refuse_unknown_call_types
from mssql_reverse_etl.run.lock_watch import LockWatch
from mssql_reverse_etl.run.sync_locks import SyncLocks
from mssql_reverse_etl.screens.run import show_run
from program_kit.events import IS_OUTCOME
from program_kit.exit_codes import worst_exit_code
from program_kit.signals import record_stop_signals, signal_exit_code, signal_name
from tap_mssql_query.errors import QueryFailed, ServerError, StateError
from tap_mssql_query.sync.bookmarks import unwrap_state
from tap_mssql_query.sync.renames import carry_over, find_missed_renaming

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from mssql_reverse_etl.cluster.partition_plan import PartitionPlan, State
    from mssql_reverse_etl.results.summary import Summary
    from mssql_reverse_etl.run.sources import RunSources
    from mssql_reverse_etl.run.state_file import StateFile
    from tap_mssql_query.settings.model import SyncSettings, TapSettings

logger = logging.getLogger(__name__)


def run_on_cluster(
    sources: RunSources,
    tap_settings: TapSettings,
    *,
    resync: Sequence[str],
    address: str | None,
    workers: int | None,
) -> int:
    """Run all syncs that are due; the exit code. Without an `address` the cluster is a local one.

    Raises UsageError, ClusterFailed, StateNotWritten, DeliveryStopped (dead letters cannot be
    written), ConfigurationError or PluginError.
    """
    settings = prepare_task_settings(sources.tap, tap_settings, sources.target)
    file, commands = sources.file, sources.commands
    state = carry_over(unwrap_state(file.read()), tap_settings.syncs)
    started, summary = time.monotonic(), RecordedSummary(sources.record)
    with ExitStack() as stack:
        unknown = refuse_unknown_call_types(tap_settings, settings.configuration)
        syncs = [s for s in tap_settings.syncs if s.enabled and s.name not in unknown]
        locks = stack.enter_context(SyncLocks(tap_settings, syncs))
        codes = [locks.exit_code]
        for name, problem in {**unknown, **locks.failed}.items():
            summary.set_result(name, SyncResult(SyncOutcome.FAILED, problem))
        for name in locks.taken:
            summary.set_result(name, SyncResult(SyncOutcome.LOCKED))
        codes += [UsageError.exit_code] if unknown else []
        before = copy.deepcopy(state)
        plans, plan_codes = _plan(syncs, locks, state, resync=resync, summary=summary)
        _warn_of_missed_renamings(plans, tap_settings.syncs, before)
        codes += plan_codes
        if not plans:
            codes.append(show_run(summary, commands, seconds=time.monotonic() - started))
            return worst_exit_code(codes)
        file.write(state)
        client = stack.enter_context(open_cluster(address, workers, settings.secrets))
        slots = count_slots(client, workers)
        coordinator = Coordinator(
            client,
            plans,
            state,
            file,
            settings=settings.divided_by(slots),
            slots=slots,
            summary=summary,
        )
        received = record_stop_signals(coordinator.stop)
        watch = LockWatch([*locks.watched(), *file.watched()], coordinator.stop)
        try:
            with watch:
                coordinator.run()
        finally:
            ending = _describe_interruption(received[0], file) if received else ""
            _set_results(summary, plans, watch.losses)
            summary.sort([sync.name for sync in tap_settings.syncs])
            seconds = time.monotonic() - started
            codes.append(show_run(summary, commands, seconds=seconds, ending=ending))
    if received:
        logger.warning("%s", ending, extra=IS_OUTCOME)
        return signal_exit_code(received[0])
    return worst_exit_code([*codes, coordinator.exit_code, watch.exit_code])


def _plan(
    syncs: Sequence[SyncSettings],
    locks: SyncLocks,
    state: State,
    *,
    resync: Collection[str],
    summary: Summary,
) -> tuple[list[PartitionPlan], list[int]]:
    """Plan all syncs that are due and not locked elsewhere; the plans and the exit codes so far."""
    plans, codes = [], []
    for sync in syncs:
        if sync.name not in locks.held:
            continue
        try:
            session = locks.session_of(sync)
            plan = plan_sync(session, sync, state, is_resync=sync.name in resync)
        except (ServerError, StateError, QueryFailed) as error:
            logger.error(  # noqa: TRY400 - no bug
                "sync=%s failed: %s", sync.name, error, extra=IS_OUTCOME
            )
            summary.set_result(sync.name, SyncResult(SyncOutcome.FAILED, str(error)))
            codes.append(error.exit_code)
            continue
        if plan is None:
            logger.info("sync=%s skipped: not due yet", sync.name)
            summary.set_result(sync.name, SyncResult(SyncOutcome.NOT_DUE))
        elif plan.waiting:
            plans.append(plan)
    return plans, codes


def _warn_of_missed_renamings(
    plans: Sequence[PartitionPlan], syncs: Sequence[SyncSettings], before: State
) -> None:
    for plan in plans:
        if problem := find_missed_renaming(plan.sync, syncs, before):
            logger.warning("sync=%s: %s", plan.sync.name, problem)


def _describe_interruption(signal_number: int, file: StateFile) -> str:
    return (
        f"Interrupted by {signal_name(signal_number)}. The state file {file.path} covers all "
        "finished tasks; the next run continues from it."
    )


def _set_results(
    summary: Summary, plans: Sequence[PartitionPlan], unlocked: Mapping[str, str]
) -> None:
    for plan in plans:
        name, result = plan.sync.name, plan.result
        if name in unlocked and result.outcome == SyncOutcome.INTERRUPTED:
            result = SyncResult(SyncOutcome.FAILED, unlocked[name])
        summary.set_result(name, result)
