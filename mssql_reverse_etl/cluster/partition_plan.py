"""Plans the tasks of a run on a cluster, and merges their states. Pure except for its queries."""

from __future__ import annotations

import copy
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.results.outcomes import FAILURES, SyncOutcome, SyncResult
from tap_mssql_query.mssql.connect import server_time
from tap_mssql_query.sync.bookmarks import SYNC_TIME_KEY, bookmark_of, is_unfinished
from tap_mssql_query.sync.read_strategy import (
    begin_partitioned_run,
    find_resume_state,
    split_sync_query,
)
from tap_mssql_query.sync.resume_state import (
    ResumeState,
    finish_run,
    read_resume_state,
    write_resume_state,
)
from tap_mssql_query.sync.run_options import RunOptions
from tap_mssql_query.sync.window import find_window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_mssql_query.mssql.session import Session
    from tap_mssql_query.settings.model import SyncSettings

logger = logging.getLogger(__name__)

State = dict[str, Any]


@dataclass(slots=True)
class PartitionPlan:
    """The tasks of one sync: one for each partition, or one for the whole sync.

    Attributes:
        sync: the sync.
        run: its partitioned run; None if one task reads the whole sync.
        waiting: numbers of the partitions without a task; [None] for the whole sync.
        tap_options: further arguments of the tap.
        running: how many tasks are running.
        end: the outcome if it is known before all tasks are done; after a failure no further one
            is submitted.
        is_done: whether all rows are settled, if one task reads the whole sync.
    """

    sync: SyncSettings
    run: ResumeState | None
    waiting: list[int | None]
    tap_options: Sequence[str] = ()
    running: int = 0
    end: SyncResult | None = None
    is_done: bool = False

    @property
    def total(self) -> int:
        """How many tasks the sync has, done or not."""
        return len(self.run.partitions) if self.run else 1

    @property
    def has_failed(self) -> bool:
        """Whether a task failed for good."""
        return self.end is not None and self.end.outcome in FAILURES

    @property
    def result(self) -> SyncResult:
        """The sync's outcome."""
        if self.end is not None:
            return self.end
        is_done = self.run.is_complete if self.run else self.is_done
        return SyncResult(SyncOutcome.DELIVERED if is_done else SyncOutcome.INTERRUPTED)

    def state_of(self, state: State) -> State:
        """A copy of what the state holds of the sync, for a task."""
        return {"bookmarks": {self.sync.name: copy.deepcopy(bookmark_of(state, self.sync.name))}}

    def options_of(self, number: int | None) -> list[str]:
        """Arguments of the tap for a task."""
        partition = [] if number is None else ["--partition", str(number)]
        return [*self.tap_options, *partition]

    def merge(self, number: int | None, task_state: State | None, state: State) -> bool:
        """Merge a task's last state into the state; whether the task's partition is done.

        Tasks run side by side, so a partition is done if any task's state says so.
        """
        bookmark = (task_state or {}).get("bookmarks", {}).get(self.sync.name)
        if task_state is None or bookmark is None:
            return False
        run = self.run
        if run is None or number is None:
            bookmarks = state.setdefault("bookmarks", {})
            # A task whose sync failed brings back the bookmark that it was given.
            has_moved = bookmark != bookmarks.get(self.sync.name)
            self.is_done = has_moved and not is_unfinished(bookmark)
            bookmarks[self.sync.name] = bookmark
            return self.is_done
        for partition, is_done in zip(
            run.partitions, self._done_in(task_state, bookmark), strict=True
        ):
            partition.is_done |= is_done
        if run.is_complete:
            sync_time = run.times.sync_time
            finish_run(state, self.sync.name, sync_time=sync_time, fingerprint=run.fingerprint)
        else:
            write_resume_state(state, self.sync.name, run)
        return run.partitions[number].is_done

    def _done_in(self, task_state: State, bookmark: Mapping[str, Any]) -> list[bool]:
        """Which partitions a task's state says are done: all once the bookmark has moved."""
        run = read_resume_state(task_state, self.sync.name)
        if run is not None:
            return [partition.is_done for partition in run.partitions]
        assert self.run is not None  # noqa: S101 - only a partitioned run is merged so
        has_moved = bookmark.get(SYNC_TIME_KEY) == self.run.times.sync_time
        return [has_moved] * len(self.run.partitions)


def plan_sync(
    session: Session, sync: SyncSettings, state: State, *, is_resync: bool
) -> PartitionPlan | None:
    """The tasks of a sync, its partitions written to the state; None if the sync is not due.

    Raises ServerError or StateError.
    """
    resync = [sync.name] if is_resync else []
    options = [word for name in resync for word in ("--resync", name)]
    now = server_time(session)
    run = None if is_resync else find_resume_state(sync, state, now=now, log=logger.info)
    if run is None:
        times = find_window(sync, RunOptions(resync=resync), state, now=now)
        if times is None:
            return None
        if sync.partition_column is None:
            return PartitionPlan(sync, None, [None], options)
        range_query = split_sync_query(sync, times)
        run = begin_partitioned_run(session, sync, times, range_query)
    if sync.partition_column is None:
        return PartitionPlan(sync, None, [None])
    write_resume_state(state, sync.name, run)
    waiting = [n for n, partition in enumerate(run.partitions) if not partition.is_done]
    if not waiting:
        finish_run(state, sync.name, sync_time=run.times.sync_time, fingerprint=run.fingerprint)
    return PartitionPlan(sync, run, list(waiting))
