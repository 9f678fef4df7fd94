"""The screen of `mssql-reverse-etl status`. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mssql_reverse_etl.screens.local_time import NOTHING, local_time
from mssql_reverse_etl.screens.output import Part, add_row, line, plain_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import tzinfo

    from rich.table import Table

    from mssql_reverse_etl.history.sync_status import SyncStatus

_COUNTS = {"rows": "rows_read", "delivered": "delivered", "rejected": "rejected"}


def status_screen(
    statuses: Sequence[SyncStatus], running_since: str | None, zone: tzinfo | None = None
) -> Iterator[Part]:
    """The parts of the screen; `running_since` is that of a run in progress, or empty."""
    if running_since is not None:
        since = f" since {local_time(running_since, zone)}" if running_since else ""
        yield line(f"A run is in progress{since}.")
        yield line("")
    yield _last_runs(statuses, zone)
    yield line("")
    yield _schedule(statuses, zone)
    reasons = [_reason_of(status) for status in statuses]
    if any(reasons):
        yield line("")
    for reason in filter(None, reasons):
        yield line(reason)


def _last_runs(statuses: Sequence[SyncStatus], zone: tzinfo | None) -> Table:
    table = plain_table(
        {"sync": "left", "last run": "left", "outcome": "left", **dict.fromkeys(_COUNTS, "right")}
    )
    for status in statuses:
        run = status.last_run
        counts = [f"{run[column]:,}" if run else NOTHING for column in _COUNTS.values()]
        time = local_time(run["started_at"] if run else None, zone)
        add_row(table, status.sync.name, time, status.outcome, *counts)
    return table


def _schedule(statuses: Sequence[SyncStatus], zone: tzinfo | None) -> Table:
    table = plain_table({"sync": "left", "bookmark": "left", "next due": "left"})
    for status in statuses:
        bookmark = local_time(status.last_sync_time or None, zone)
        add_row(table, status.sync.name, bookmark, _next_due(status, zone))
    return table


def _next_due(status: SyncStatus, zone: tzinfo | None) -> str:
    if not status.sync.is_enabled:
        return NOTHING
    if status.is_due:
        is_scheduled = status.sync.frequency_seconds is not None
        return "now" if is_scheduled else "every run"
    return local_time(status.due_at, zone)


def _reason_of(status: SyncStatus) -> str:
    """Why the last run of a sync was no success; empty if it was one."""
    run = status.last_run
    if not run or not run["message"]:
        return ""
    return f"{status.sync.name}: {run['outcome']}: {run['message']}"
