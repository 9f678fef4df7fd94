"""One run on a cluster: plan the tasks, start or join the cluster, run the coordinator."""

from __future__ import annotations

import copy
import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.cluster.connection import count_slots, open_cluster
from mssql_reverse_etl.cluster.coordinator import Coordinator
from mssql_reverse_etl.cluster.partition_plan import plan_sync
from mssql_reverse_etl.cluster.task_settings import prepare_task_settings
from mssql_reverse_etl.summary import Summary
from mssql_reverse_etl.sync_locks import SyncLocks
from program_kit.signals import record_stop_signals, signal_exit_code
from tap_mssql_query.errors import QueryFailed, ServerError, StateError
from tap_mssql_query.sync.renames import carry_over, find_missed_renaming
from tap_mssql_query.sync.report import Outcome

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from mssql_reverse_etl.cluster.partition_plan import PartitionPlan, State
    from mssql_reverse_etl.state_file import StateFile
    from tap_mssql_query.settings.model import TapSettings

logger = logging.getLogger(__name__)


def run_on_cluster(
    tap_config: Mapping[str, Any],
    tap_settings: TapSettings,
    target_config: Mapping[str, Any],
    file: StateFile,
    *,
    resync: Sequence[str],
    address: str | None,
    workers: int | None,
) -> int:
    """Run all syncs that are due; the exit code. Without an `address` the cluster is a local one.

    Raises UsageError, ClusterFailed, StateNotWritten, DeliveryStopped (dead letters cannot be
    written), ConfigurationError or PluginError.
    """
    settings = prepare_task_settings(tap_config, tap_settings, target_config)
    state = carry_over(file.read(), tap_settings.syncs)
    summary = Summary()
    with ExitStack() as stack:
        locks = stack.enter_context(SyncLocks(tap_settings))
        plans, code = _plan(tap_settings, locks, state, resync=resync, summary=summary)
        if not plans:
            summary.show()
            return code
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
        try:
            coordinator.run()
        finally:
            _show(summary, plans)
    return signal_exit_code(received[0]) if received else coordinator.exit_code or code


def _plan(
    settings: TapSettings,
    locks: SyncLocks,
    state: State,
    *,
    resync: Collection[str],
    summary: Summary,
) -> tuple[list[PartitionPlan], int]:
    """Plan all syncs that are due and not locked elsewhere; the plans and the exit code so far."""
    plans = []
    before = copy.deepcopy(state)
    code = locks.exit_code
    for sync in settings.syncs:
        if sync.name not in locks.held:
            continue
        try:
            session = locks.session_of(sync)
            plan = plan_sync(session, sync, state, is_resync=sync.name in resync)
        except (ServerError, StateError, QueryFailed) as error:
            logger.error("sync=%s failed: %s", sync.name, error)  # noqa: TRY400 - no bug
            summary.set_outcome(sync.name, Outcome.FAILED)
            code = code or error.exit_code
            continue
        if plan is None:
            logger.info("sync=%s skipped: not due yet", sync.name)
            summary.set_outcome(sync.name, Outcome.NOT_DUE)
        elif plan.waiting:
            plans.append(plan)
            if problem := find_missed_renaming(sync, settings.syncs, before):
                logger.warning("sync=%s: %s", sync.name, problem)
    return plans, code


def _show(summary: Summary, plans: Sequence[PartitionPlan]) -> None:
    for plan in plans:
        if outcome := plan.outcome:
            summary.set_outcome(plan.sync.name, outcome)
    summary.show()
