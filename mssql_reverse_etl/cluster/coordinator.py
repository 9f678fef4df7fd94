"""A run on a Dask cluster: parts out, results in; the state after each part."""

from __future__ import annotations

import logging
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import Progress

from mssql_reverse_etl.cluster.connection import count_slots, open_cluster
from mssql_reverse_etl.cluster.partition_plan import encode, plan_sync
from mssql_reverse_etl.cluster.partition_task import DEAD_LETTERS, Part, run_part
from mssql_reverse_etl.cluster.secret_refs import take_out
from mssql_reverse_etl.errors import ClusterFailed, UsageError
from mssql_reverse_etl.summary import Summary
from mssql_reverse_etl.sync_locks import SyncLocks
from tap_mssql_query.errors import QueryFailed, ServerError, StateError
from target_pipelines.acknowledgements.dead_letters import DeadLetters
from target_pipelines.run.configuration import load_configuration
from target_pipelines.run.worker import split_limits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mssql_reverse_etl.cluster.partition_plan import State, SyncPlan
    from mssql_reverse_etl.cluster.partition_task import PartResult
    from mssql_reverse_etl.state_file import StateFile
    from tap_mssql_query.settings.model import TapSettings
    from target_pipelines.run.configuration import Configuration

_POLL_SECONDS = 0.5
_PATIENCE_SECONDS = 30.0
"""So long a client may try to find its scheduler again."""
_MAX_ATTEMPTS = 3
_PASSING = frozenset({3, 4})
"""Exit codes of what another worker may do better: the server, or the destination."""
_SIGNALLED = 128

logger = logging.getLogger(__name__)


class Driver:
    """Hands parts to a cluster, a few more than it can run never; keeps state and dead letters."""

    def __init__(
        self,
        client: Any,
        plans: Sequence[SyncPlan],
        state: State,
        file: StateFile,
        *,
        tap: Mapping[str, Any],
        target: Mapping[str, Any],
        letter_paths: Mapping[str, Path],
        slots: int,
    ) -> None:
        self._client = client
        self._plans = plans
        self._state = state
        self._file = file
        self._tap = tap
        self._target = target
        self._letter_paths = letter_paths
        self._slots = slots
        self._running: dict[Any, tuple[SyncPlan, int | None]] = {}
        self._lost_since: float | None = None
        self._told: set[str] = set()
        self.summary = Summary()
        self.exit_code = 0
        self.stopped: list[int] = []

    def run(self) -> None:
        """Run all parts. Raises ClusterFailed, StateNotWritten or DeliveryStopped."""
        console = Console(file=sys.stderr)
        with Progress(console=console, disable=not console.is_terminal) as progress:
            bars = {
                plan.sync.name: progress.add_task(
                    plan.sync.name, total=plan.total, completed=plan.total - len(plan.waiting)
                )
                for plan in self._plans
            }
            self._fill()
            while self._running and not self.stopped:
                for future in self._wait():
                    plan, number = self._running.pop(future)
                    plan.running -= 1
                    if self._take(plan, number, future):
                        progress.advance(bars[plan.sync.name])
                    future.release()
                self._fill()
        if self.stopped:
            self._client.cancel(list(self._running), force=True)

    def _fill(self) -> None:
        """Submit parts while there is room for them, of all syncs in turn."""
        while len(self._running) < self._slots and not self.stopped:
            open_plans = [plan for plan in self._plans if plan.waiting and not plan.has_failed]
            if not open_plans:
                return
            plan = min(open_plans, key=lambda plan: plan.running)
            self._submit(plan, plan.waiting.pop(0))

    def _submit(self, plan: SyncPlan, number: int | None, avoid: str = "") -> None:
        part = Part(
            sync=plan.sync.name,
            number=number,
            state=plan.state_of(self._state),
            tap=self._tap,
            target=self._target,
            tap_options=plan.options_of(number),
        )
        plan.attempts[number] = plan.attempts.get(number, 0) + 1
        others = [worker for worker in self._client.nthreads() if worker != avoid]
        where = {"workers": others, "allow_other_workers": True} if avoid and others else {}
        key = f"{plan.sync.name}-{number}-{plan.attempts[number]}-{time.time_ns()}"
        future = self._client.submit(run_part, part, pure=False, key=key, **where)
        plan.running += 1
        self._running[future] = plan, number

    def _wait(self) -> list[Any]:
        """The futures that are done. Raises ClusterFailed if the scheduler does not come back."""
        deadline = time.monotonic() + _POLL_SECONDS
        while time.monotonic() < deadline and not self.stopped:
            if done := [future for future in self._running if future.done()]:
                return done
            time.sleep(_POLL_SECONDS / 25)
        if self._client.status == "running":
            self._lost_since = None
            return []
        now = time.monotonic()
        self._lost_since = self._lost_since or now
        if self._client.status == "closed" or now - self._lost_since > _PATIENCE_SECONDS:
            raise ClusterFailed(_LOST)
        return []

    def _take(self, plan: SyncPlan, number: int | None, future: Any) -> bool:
        """Settle the books of a part that ended; whether it is done."""
        if future.status == "cancelled":
            raise ClusterFailed(_LOST)
        error = future.exception()
        if isinstance(error, UsageError):
            raise error
        if error is not None:
            return self._fail(plan, number, f"its worker was lost ({type(error).__name__})")
        result: PartResult = future.result()
        self._tell(result)
        self._keep_letters(result)
        self.summary.add(result.pipe.tap_report, result.pipe.target_report)
        is_done = plan.merge(number, result.state, self._state)
        self._file.replace(encode(self._state))
        code = result.pipe.exit_code
        if is_done or code == 0:  # 0: not due after all, or cut short by a limit of the SDK's
            self.exit_code = self.exit_code or code
            return is_done
        may_pass = code in _PASSING or code > _SIGNALLED
        return self._fail(plan, number, f"exit code {code}", code, result.worker, again=may_pass)

    def _fail(
        self,
        plan: SyncPlan,
        number: int | None,
        reason: str,
        code: int = 4,
        worker: str = "",
        *,
        again: bool = True,
    ) -> bool:
        """Try a part again on another worker, or give its sync up; never done."""
        name = plan.sync.name if number is None else f"{plan.sync.name}, partition {number}"
        if again and plan.attempts[number] < _MAX_ATTEMPTS and not plan.has_failed:
            logger.warning("sync=%s: %s. Trying again on another worker.", name, reason)
            self._submit(plan, number, avoid=worker)
            return False
        logger.error("sync=%s failed: %s.", name, reason)
        plan.has_failed = True
        self.exit_code = self.exit_code or code
        return False

    def _tell(self, result: PartResult) -> None:
        """Show what the programs of a part told, each sentence once."""
        for line in result.log:
            sentence = line.partition("|")[2] or line
            if sentence not in self._told:
                self._told.add(sentence)
                sys.stderr.write(f"{line}\n")

    def _keep_letters(self, result: PartResult) -> None:
        """Append a part's dead letters to those here, on the disk, before any state says so."""
        for name, content in result.dead_letters.items():
            DeadLetters(self._letter_paths[name]).append(content)


_LOST = (
    "The cluster's scheduler went away. The state stands at the parts that are done; run it again."
)


def run_on_cluster(
    tap_config: Mapping[str, Any],
    settings: TapSettings,
    target_config: Mapping[str, Any],
    file: StateFile,
    *,
    resync: Sequence[str],
    address: str | None,
    workers: int | None,
) -> int:
    """Run all syncs that are due, in parts, on a cluster; the exit code.

    Raises UsageError, ClusterFailed, StateNotWritten, DeliveryStopped (dead letters cannot be
    written), ConfigurationError or PluginError.
    """
    configuration = load_configuration(target_config)
    _refuse_files(configuration)
    tap, tap_secrets = take_out(_portable(tap_config, settings), "TAP_MSSQL_QUERY")
    target, target_secrets = take_out(dict(target_config), "TARGET_PIPELINES")
    state = file.read()
    with ExitStack() as stack:
        locks = stack.enter_context(SyncLocks(settings))
        plans, code, summary = _plan(settings, locks, state, resync)
        if not plans:
            summary.show()
            return code
        file.replace(encode(state))
        client = stack.enter_context(open_cluster(address, workers, tap_secrets | target_secrets))
        slots = count_slots(client, workers)
        driver = Driver(
            client,
            plans,
            state,
            file,
            tap=tap,
            target=_share(target, configuration, slots),
            letter_paths=_letter_paths(configuration),
            slots=slots,
        )
        driver.summary = summary
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, _: driver.stopped.append(number))
        try:
            driver.run()
        finally:
            for plan in plans:
                if outcome := plan.outcome:
                    driver.summary.set_outcome(plan.sync.name, outcome)
            driver.summary.show()
    if driver.stopped:
        return _SIGNALLED + driver.stopped[0]
    return driver.exit_code or code


def _plan(
    settings: TapSettings, locks: SyncLocks, state: State, resync: Sequence[str]
) -> tuple[list[SyncPlan], int, Summary]:
    plans, summary = [], Summary()
    code = 3 if locks.failed else 0
    for sync in settings.syncs:
        if sync.name not in locks.held:
            continue
        try:
            session = locks.session_of(sync)
            plan = plan_sync(session, sync, state, is_resync=sync.name in resync)
        except (ServerError, StateError, QueryFailed) as error:
            logger.error("sync=%s failed: %s", sync.name, error)  # noqa: TRY400 - for people
            summary.set_outcome(sync.name, "failed")
            code = code or error.exit_code
            continue
        if plan is None:
            logger.info("sync=%s skipped: not due yet", sync.name)
            summary.set_outcome(sync.name, "not due")
        elif plan.waiting:
            plans.append(plan)
    return plans, code, summary


def _portable(config: Mapping[str, Any], settings: TapSettings) -> dict[str, Any]:
    """The tap's configuration without paths: workers may be other machines."""
    queries = {sync.name: sync.query for sync in settings.syncs}
    syncs = [
        {key: value for key, value in sync.items() if key != "query_file"}
        | {"query": queries[sync["name"]]}
        for sync in config["syncs"]
    ]
    portable = {**config, "syncs": syncs}
    portable.pop("report_path", None)
    return portable


def _refuse_files(configuration: Configuration) -> None:
    for route in configuration.destinations:
        if route.destination == "file":
            raise UsageError(
                "The destination `file` writes to the disk of whatever worker has a part. Run it "
                "without --dask."
            )


def _share(target: Mapping[str, Any], configuration: Configuration, slots: int) -> dict[str, Any]:
    """The target's configuration for one of so many tasks at once: each has its share of the rate.

    Lanes are not shared: a task has as many as the settings say.
    """
    shares = split_limits(configuration, slots).destinations
    own = ("report_path", "dead_letter_path")
    shared = {key: value for key, value in target.items() if key not in own}
    if "destinations" in shared:
        shared["destinations"] = [
            {key: value for key, value in entry.items() if key not in own}
            | {"requests_per_second": share.requests_per_second}
            for entry, share in zip(shared["destinations"], shares, strict=True)
        ]
    else:
        shared["requests_per_second"] = shares[0].requests_per_second
    return {key: value for key, value in shared.items() if value is not None}


def _letter_paths(configuration: Configuration) -> dict[str, Path]:
    """Where the dead letters of a task's files belong."""
    routes = configuration.destinations
    stem, suffix = DEAD_LETTERS.rsplit(".", 1)
    return {
        f"{stem}.{route.destination_name}.{suffix}" if len(routes) > 1 else DEAD_LETTERS: Path(
            route.dead_letter_path
        )
        for route in routes
    }
