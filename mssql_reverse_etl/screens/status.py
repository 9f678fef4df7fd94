"""The screen of `mssql-reverse-etl status`. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mssql_reverse_etl.screens.local_time import local_time
from mssql_reverse_etl.screens.output import (
    NOTHING,
    Part,
    add_row,
    count_cell,
    fits,
    line,
    outcome_cell,
    plain_table,
    rejected_cell,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import tzinfo

    from rich.console import JustifyMethod
    from rich.table import Table
    from rich.text import Text

    from mssql_reverse_etl.history.sync_status import SyncStatus

_COLUMNS: Mapping[str, JustifyMethod] = {
    "sync": "left", "outcome": "left", "last run": "left", "rows": "right", "delivered": "right",
    "rejected": "right", "bookmark": "left", "next due": "left",
}  # fmt: skip
_LAST_RUN = ("outcome", "last run", "rows", "delivered", "rejected")
_SCHEDULE = ("bookmark", "next due")


def status_screen(
    statuses: Sequence[SyncStatus],
    running_since: str | None,
    zone: tzinfo | None = None,
    width: int | None = None,
) -> Iterator[Part]:
    """The parts of the screen; in a narrow terminal, two tables instead of one.

    `running_since` is when the run began that is in progress, or empty if that is not known.
    """
    if running_since is not None:
        since = f" since {local_time(running_since, zone)}" if running_since else ""
        yield line(f"A run is in progress{since}.")
        yield line("")
    whole = _table_of(statuses, [*_LAST_RUN, *_SCHEDULE], zone)
    if fits(whole, width):
        yield whole
    else:
        yield _table_of(statuses, _LAST_RUN, zone)
        yield line("")
        yield _table_of(statuses, _SCHEDULE, zone)
    reasons = [_reason_of(status) for status in statuses]
    if any(reasons):
        yield line("")
    for reason in filter(None, reasons):
        yield line(reason)


def _table_of(
    statuses: Sequence[SyncStatus], headings: Sequence[str], zone: tzinfo | None
) -> Table:
    shown: dict[str, JustifyMethod] = {name: _COLUMNS[name] for name in ("sync", *headings)}
    table = plain_table(shown)
    for status in statuses:
        cells = _cells_of(status, zone)
        add_row(table, status.sync.name, *(cells[name] for name in headings))
    return table


def _cells_of(status: SyncStatus, zone: tzinfo | None) -> Mapping[str, str | Text]:
    run = status.last_run or {}
    return {
        "outcome": outcome_cell(status.outcome),
        "last run": local_time(run.get("started_at"), zone),
        "rows": count_cell(run.get("rows_read")),
        "delivered": count_cell(run.get("delivered")),
        "rejected": rejected_cell(run.get("rejected")),
        "bookmark": local_time(status.last_sync_time or None, zone),
        "next due": _next_due(status, zone),
    }


def _next_due(status: SyncStatus, zone: tzinfo | None) -> str | Text:
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
