"""Finds the time window of a run from schedule, bookmark and command line. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_mssql_query.settings.frequency import is_due
from tap_mssql_query.sql.template import SyncTimes
from tap_mssql_query.sync import bookmarks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_mssql_query.settings.model import SyncSettings
    from tap_mssql_query.sync.run_options import RunOptions


def find_window(
    sync: SyncSettings, options: RunOptions, state: Mapping[str, Any], *, now: int
) -> SyncTimes | None:
    """The values of the query's variables in this run; None if the sync is not due.

    Args:
        sync: the sync.
        options: the options of the command line.
        state: the Singer state.
        now: unix seconds by the server's clock.

    Raises:
        StateError: the bookmark cannot be used.
    """
    if options.is_backfill:
        return SyncTimes(options.since or 0, now if options.until is None else options.until)
    if sync.name in options.resync:
        return SyncTimes(0 if sync.start_from == "now" else _first_time(sync, now), now)
    last_sync_time = bookmarks.read_last_sync_time(state, sync.name)
    tolerance = sync.database.clock_tolerance_seconds
    bookmarks.check_not_in_future(
        last_sync_time, sync=sync.name, server_time=now, tolerance_seconds=tolerance
    )
    if not is_due(
        now=now,
        last_sync_time=last_sync_time,
        frequency_seconds=sync.frequency_seconds,
        start_at=sync.start_at,
    ):
        return None
    if not bookmarks.has_run(state, sync.name):
        return SyncTimes(_first_time(sync, now), now)
    # Rows that were stamped by a clock that is behind have times before the bookmark.
    missed_seconds = tolerance if last_sync_time > now else 0
    return SyncTimes(max(last_sync_time - sync.lookback_seconds - missed_seconds, 0), now)


def _first_time(sync: SyncSettings, now: int) -> int:
    """The `last_sync_time` of a sync that has not run before."""
    return now if sync.start_from == "now" else min(sync.start_from or 0, now)
