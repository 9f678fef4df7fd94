"""Which parts a run on a cluster has, and what their results do to the state. Pure but for SQL."""

from __future__ import annotations

import copy
import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_mssql_query.mssql.connect import server_time
from tap_mssql_query.sql.template import fingerprint_of, render_query
from tap_mssql_query.sync.bookmarks import bookmark_of
from tap_mssql_query.sync.read_strategy import bound, find_partitions, find_unfinished
from tap_mssql_query.sync.report import Outcome
from tap_mssql_query.sync.resume_state import Unfinished, finish, read_unfinished, write_unfinished
from tap_mssql_query.sync.run_options import RunOptions
from tap_mssql_query.sync.window import find_window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_mssql_query.mssql.session import Session
    from tap_mssql_query.settings.model import SyncSettings

logger = logging.getLogger(__name__)

State = dict[str, Any]


@dataclass(slots=True)
class SyncPlan:
    """The parts of one sync that are still to be done.

    Attributes:
        sync: the sync.
        unfinished: its partitions; None for a sync that is one part.
        waiting: numbers of the partitions that no task has; [None] for the whole sync.
        running: how many tasks there are.
        has_failed: whether a part failed for good; no further one begins.
    """

    sync: SyncSettings
    unfinished: Unfinished | None
    waiting: list[int | None]
    tap_options: Sequence[str] = ()
    running: int = 0
    has_failed: bool = False

    @property
    def total(self) -> int:
        """How many parts the sync has, done or not."""
        return len(self.unfinished.partitions) if self.unfinished else 1

    @property
    def outcome(self) -> str:
        """What became of the sync, in the tap's words; empty if its only part's tap has said it."""
        if self.has_failed:
            return Outcome.FAILED
        if self.unfinished is None:
            return ""
        is_done = all(partition.is_done for partition in self.unfinished.partitions)
        return Outcome.READ if is_done else Outcome.CUT_SHORT

    def state_of(self, number: int | None, state: State) -> State:
        """What the tap of a part is given: all other partitions are done."""
        bookmark = copy.deepcopy(bookmark_of(state, self.sync.name))
        part: State = {"bookmarks": {self.sync.name: bookmark}}
        if self.unfinished is not None:
            run = read_unfinished(part, self.sync.name)
            assert run is not None  # noqa: S101 - written by `plan_sync`
            for index, partition in enumerate(run.partitions):
                partition.is_done = index != number
            write_unfinished(part, self.sync.name, run)
        return part

    def take(self, number: int | None, part_state: Mapping[str, Any] | None, state: State) -> bool:
        """Take over what a part's state says; whether the part is done."""
        bookmarks = (part_state or {}).get("bookmarks", {})
        bookmark = bookmarks.get(self.sync.name)
        if self.unfinished is None:
            if bookmark is not None:
                state.setdefault("bookmarks", {})[self.sync.name] = bookmark
            return bookmark is not None and "unfinished" not in bookmark
        run = self.unfinished
        if bookmark is None or "unfinished" in bookmark or number is None:
            return False
        run.partitions[number].is_done = True
        if all(partition.is_done for partition in run.partitions):
            sync_time = run.times.sync_time
            finish(state, self.sync.name, sync_time=sync_time, fingerprint=run.fingerprint)
        else:
            write_unfinished(state, self.sync.name, run)
        return True


def plan_sync(
    session: Session, sync: SyncSettings, state: State, *, is_resync: bool
) -> SyncPlan | None:
    """The parts of a sync, and in the state its partitions; None if it is not due.

    Raises ServerError or StateError.
    """
    resync = [sync.name] if is_resync else []
    options = [word for name in resync for word in ("--resync", name)]
    now = server_time(session)
    run = None if is_resync else find_unfinished(sync, state, now=now, say=logger.info)
    if run is None:
        times = find_window(sync, RunOptions(resync=resync), state, now=now)
        if times is None:
            return None
        if sync.partition_column is None:
            return SyncPlan(sync, None, [None], options)
        bounded = bound(sync, render_query(sync.query, times))
        fingerprint = fingerprint_of(sync.query)
        partitions = find_partitions(session, sync, bounded)
        run = Unfinished(times, fingerprint, sync.partition_column, partitions)
    if sync.partition_column is None:
        return SyncPlan(sync, None, [None])
    write_unfinished(state, sync.name, run)
    waiting = [n for n, partition in enumerate(run.partitions) if not partition.is_done]
    if not waiting:
        finish(state, sync.name, sync_time=run.times.sync_time, fingerprint=run.fingerprint)
    return SyncPlan(sync, run, list(waiting))


def encode(state: State) -> bytes:
    """A state as a line of JSON."""
    return json.dumps(state, separators=(",", ":")).encode() + b"\n"
