"""Submits the tasks of a run to the cluster and merges their results into the state file."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import Progress

from mssql_reverse_etl.cluster.attempts import Attempts
from mssql_reverse_etl.cluster.partition_task import PartitionTask, TaskFailed, run_task
from mssql_reverse_etl.errors import ClusterFailed, UsageError
from mssql_reverse_etl.results.outcomes import RunOutcomes, SyncOutcome, SyncResult
from program_kit.events import IS_OUTCOME
from program_kit.exit_codes import worst_exit_code
from program_kit.signals import is_signal_exit_code
from target_pipelines.acknowledgements.dead_letters import DeadLetters
from target_pipelines.api.errors import TooManyRejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mssql_reverse_etl.cluster.partition_plan import PartitionPlan, State
    from mssql_reverse_etl.cluster.partition_task import TaskResult
    from mssql_reverse_etl.cluster.task_settings import TaskSettings
    from mssql_reverse_etl.results.summary import Summary
    from mssql_reverse_etl.run.state_file import StateFile

_POLL_SECONDS = 0.5
_RECONNECT_SECONDS = 30.0
"""How long the client may take to reconnect to its scheduler."""
_TRANSIENT_EXIT_CODES = frozenset({3, 4})
"""SQL Server or the destination failed: another worker may reach it."""
_DELIVERY_FAILED = 4
_SCHEDULER_LOST = (
    "The cluster's scheduler is gone. The state file covers all finished partitions; run it again."
)

logger = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Task:
    """A task of the run, over all of its attempts; `partition` is None for a whole sync."""

    plan: PartitionPlan
    partition: int | None
    attempts: Attempts = field(default_factory=Attempts)

    @property
    def name(self) -> str:
        sync = self.plan.sync.name
        return sync if self.partition is None else f"{sync}, partition {self.partition}"


class Coordinator:
    """Submits tasks, at most one per slot; owns the state file and the dead letters.

    Attributes:
        exit_code: the worst failure's; 0 if all tasks succeeded.
    """

    def __init__(
        self,
        client: Any,
        plans: Sequence[PartitionPlan],
        state: State,
        file: StateFile,
        *,
        settings: TaskSettings,
        slots: int,
        summary: Summary,
    ) -> None:
        self._client = client
        self._plans = plans
        self._state = state
        self._file = file
        self._tap = settings.tap
        self._target = settings.target
        self._dead_letter_paths = settings.dead_letter_paths
        self._slots = slots
        self._summary = summary
        self._running: dict[Any, _Task] = {}
        self._disconnected_at: float | None = None
        self._logged: set[str] = set()
        self._is_stopping = False
        self.exit_code = 0

    def stop(self) -> None:
        """Cancel all tasks soon. May be called from a signal handler."""
        self._is_stopping = True

    def run(self) -> None:
        """Run all tasks. Raises UsageError, ClusterFailed, StateNotWritten or DeliveryStopped."""
        with _progress_bars(self._plans) as advance:
            self._fill_slots()
            while self._running and not self._is_stopping:
                for future in self._wait():
                    task = self._remove(future)
                    if self._finish(task, future):
                        advance(task.plan)
                    future.release()
                self._fill_slots()
        if self._is_stopping:
            self._client.cancel(list(self._running), force=True)

    def _fill_slots(self) -> None:
        """Submit tasks while slots are free; the sync with the fewest running tasks comes first."""
        while len(self._running) < self._slots and not self._is_stopping:
            plans = [plan for plan in self._plans if plan.waiting and not plan.has_failed]
            if not plans:
                return
            plan = min(plans, key=lambda plan: plan.running)
            self._start_attempt(_Task(plan, plan.waiting.pop(0)))

    def _start_attempt(self, task: _Task) -> None:
        task.attempts.count += 1
        self._submit(task)

    def _submit(self, task: _Task) -> None:
        plan, attempts = task.plan, task.attempts
        if attempts.failed_on:
            attempts.restrict(self._live_workers())
        future = self._client.submit(
            run_task,
            PartitionTask(
                sync=plan.sync.name,
                state=plan.state_of(self._state),
                tap=self._tap,
                target=self._target,
                tap_options=plan.options_of(task.partition),
            ),
            pure=False,
            key=f"{plan.sync.name}-{task.partition}-{attempts.count}-{time.time_ns()}",
            workers=sorted(attempts.allowed) or None,
        )
        plan.running += 1
        self._running[future] = task

    def _remove(self, future: Any) -> _Task:
        task = self._running.pop(future)
        task.plan.running -= 1
        return task

    def _live_workers(self) -> frozenset[str]:
        """The addresses of all workers. Raises ClusterFailed if the scheduler is gone."""
        try:
            return frozenset(self._client.nthreads())
        except OSError as error:
            raise ClusterFailed(_SCHEDULER_LOST) from error

    def _wait(self) -> list[Any]:
        """The futures that are done, after a while none. Raises ClusterFailed."""
        deadline = time.monotonic() + _POLL_SECONDS
        while time.monotonic() < deadline and not self._is_stopping:
            if done := [future for future in self._running if future.done()]:
                return done
            time.sleep(_POLL_SECONDS / 25)
        if self._is_connected():
            self._resubmit_stranded()
        return []

    def _is_connected(self) -> bool:
        """Whether the scheduler is connected. Raises ClusterFailed if it does not come back."""
        if self._client.status == "running":
            self._disconnected_at = None
            return True
        now = time.monotonic()
        self._disconnected_at = self._disconnected_at or now
        if self._client.status == "closed" or now - self._disconnected_at > _RECONNECT_SECONDS:
            raise ClusterFailed(_SCHEDULER_LOST)
        return False

    def _resubmit_stranded(self) -> None:
        """Replace submissions whose workers have all left: the scheduler would wait for them."""
        restricted = [
            future
            for future, task in self._running.items()
            if task.attempts.allowed and not future.done()
        ]
        live = self._live_workers() if restricted else frozenset()
        for future in restricted:
            if self._running[future].attempts.is_stranded(live):
                self._resubmit(future)

    def _resubmit(self, future: Any) -> None:
        task = self._remove(future)
        future.release()
        task.attempts.withdraw()
        if task.attempts.may_resubmit:
            self._submit(task)
        else:
            self._fail(task, "all workers that could run it were lost")

    def _finish(self, task: _Task, future: Any) -> bool:
        """Handle a future that is done; whether the task's partition is done."""
        if future.status == "cancelled":
            raise ClusterFailed(_SCHEDULER_LOST)
        error = future.exception()
        if isinstance(error, UsageError):
            raise error
        if error is not None:
            worker, reason = _cause_of(error)
            task.attempts.failed_on |= worker
            self._retry_or_fail(task, reason)
            return False
        result: TaskResult = future.result()
        is_done = self._merge(task, result)
        code = result.pipe.exit_code
        end = RunOutcomes(result=result.pipe).of(task.plan.sync.name)
        if is_done or code == 0:  # 0: no longer due, or ended early by a limit of the SDK
            self.exit_code = worst_exit_code([self.exit_code, code])
            if not is_done and task.partition is None:
                task.plan.end = end
            return is_done
        task.attempts.failed_on.add(result.worker)
        reason = end.message or f"exit code {code}"
        if code in _TRANSIENT_EXIT_CODES or is_signal_exit_code(code):
            self._retry_or_fail(task, reason, code)
        else:
            self._fail(task, reason, code)
        return False

    def _merge(self, task: _Task, result: TaskResult) -> bool:
        """Store what a task produced: dead letters first, since the state vouches for them."""
        self._print_log(result.log)
        _store_dead_letters(result.dead_letters, self._dead_letter_paths)
        self._summary.add(result.pipe.tap_report, result.pipe.target_report)
        is_done = task.plan.merge(task.partition, result.state, self._state)
        self._file.write(self._state)
        return is_done

    def _retry_or_fail(self, task: _Task, reason: str, code: int = _DELIVERY_FAILED) -> None:
        if not task.attempts.may_retry or task.plan.has_failed:
            self._fail(task, reason, code)
            return
        self._start_attempt(task)
        where = " on another worker" if task.attempts.allowed else ""
        logger.warning("sync=%s: %s Trying again%s.", task.name, _as_sentence(reason), where)

    def _fail(self, task: _Task, reason: str, code: int = _DELIVERY_FAILED) -> None:
        """Fail the task's sync: no further task of it is submitted."""
        reason = _as_sentence(reason)
        logger.error("sync=%s failed: %s", task.name, reason, extra=IS_OUTCOME)
        is_rejected = code == TooManyRejected.exit_code
        outcome = SyncOutcome.REJECTED if is_rejected else SyncOutcome.FAILED
        task.plan.end = SyncResult(outcome, reason)
        self.exit_code = worst_exit_code([self.exit_code, code])

    def _print_log(self, lines: Sequence[str]) -> None:
        """Print log lines of a task; each message once, whatever its time."""
        for line in lines:
            message = line.partition("|")[2] or line
            if message not in self._logged:
                self._logged.add(message)
                sys.stderr.write(f"{line}\n")


def _as_sentence(reason: str) -> str:
    return reason if reason.endswith(".") else f"{reason}."


def _store_dead_letters(files: Mapping[str, bytes], paths: Mapping[str, Path]) -> None:
    for name, content in files.items():
        DeadLetters(paths[name]).append([content])


def _cause_of(error: BaseException) -> tuple[set[str], str]:
    """The worker on which a task raised an error, if it is known, and the reason for the log."""
    if isinstance(error, TaskFailed):
        return {error.worker}, f"its worker could not run it ({error.reason})"
    lost = getattr(error, "last_worker", None)  # of Dask's KilledWorker
    return {lost.address} if lost else set(), f"its worker was lost ({type(error).__name__})"


@contextmanager
def _progress_bars(plans: Sequence[PartitionPlan]) -> Iterator[Callable[[PartitionPlan], None]]:
    """A progress bar for each sync, if stderr is a terminal; yields what advances one."""
    console = Console(file=sys.stderr)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        bars = {
            plan.sync.name: progress.add_task(
                plan.sync.name, total=plan.total, completed=plan.total - len(plan.waiting)
            )
            for plan in plans
        }
        yield lambda plan: progress.advance(bars[plan.sync.name])
