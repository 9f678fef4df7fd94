"""The status of each sync: its last run, its bookmark, and when it is due. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.history.tables import SYNC_RUN_COLUMNS
from mssql_reverse_etl.results.times import text_of_seconds
from tap_mssql_query.settings.frequency import due_at, is_due
from tap_mssql_query.sync.bookmarks import (
    has_run,
    is_unfinished,
    read_last_sync_time,
    unwrap_state,
)
from tap_mssql_query.sync.renames import carry_over

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mssql_reverse_etl.project.syncs import ProjectSync

PAUSED, NEVER = "paused", "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncStatus:
    """The status of a sync; times in unix seconds.

    Attributes:
        sync: what the project says of it.
        last_run: its row in the history with the run's times; None if it never ran.
        bookmark: its entry in the state; None if it has none.
        last_sync_time: the time in it, 0 without one.
        due_at: when it is due; None if it is in the next run whenever that is, or paused.
        is_due: whether it is due now.
    """

    sync: ProjectSync
    last_run: Mapping[str, Any] | None
    bookmark: Mapping[str, Any] | None
    last_sync_time: int
    due_at: int | None
    is_due: bool

    @property
    def outcome(self) -> str:
        """Of its last run; `paused` or `never`."""
        if not self.sync.is_enabled:
            return PAUSED
        return str(self.last_run["outcome"]) if self.last_run else NEVER

    def to_json(self) -> dict[str, Any]:
        """The columns of its last run, and the rest; null where there is nothing."""
        run = self.last_run or {}
        return {
            **{column: run.get(column) for column in SYNC_RUN_COLUMNS},
            "sync": self.sync.name,
            "call_type": run.get("call_type") or self.sync.call_type,
            "outcome": self.outcome,
            "started_at": run.get("started_at"),
            "ended_at": run.get("ended_at"),
            "enabled": self.sync.is_enabled,
            "bookmark": self.bookmark,
            "next_due": text_of_seconds(self.due_at),
        }


def find_statuses(
    syncs: Sequence[ProjectSync],
    state: object,
    last_run_of: Callable[[str], Mapping[str, Any] | None],
    *,
    now: int,
) -> Iterator[SyncStatus]:
    """The status of each sync, in the order of the project. Raises StateError."""
    carried = carry_over(unwrap_state(state), syncs)
    for sync in syncs:
        bookmark = carried.get("bookmarks", {}).get(sync.name)
        last_sync_time = read_last_sync_time(carried, sync.name)
        schedule = {
            "last_sync_time": last_sync_time,
            "frequency_seconds": sync.frequency_seconds,
            "start_at": sync.start_at,
        }
        is_resumed = is_unfinished(bookmark or {})  # an unfinished run goes on at once
        due = due_at(**schedule) if has_run(carried, sync.name) else sync.start_at  # type: ignore[arg-type]
        yield SyncStatus(
            sync=sync,
            last_run=last_run_of(sync.name),
            bookmark=bookmark,
            last_sync_time=last_sync_time,
            due_at=due if due and sync.is_enabled and not is_resumed else None,
            is_due=is_resumed or is_due(now=now, **schedule),  # type: ignore[arg-type]
        )
