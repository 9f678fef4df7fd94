"""The query of a sync for one run: rendered in the sync's time zone, and checked. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_mssql_query.sql.select_only import SelectQuery
from tap_mssql_query.sql.template import render_query

if TYPE_CHECKING:
    from tap_mssql_query.settings.model import SyncSettings
    from tap_mssql_query.sql.template import SyncTimes


def render_sync(sync: SyncSettings, times: SyncTimes) -> str:
    """The text of the query, which may be anything."""
    return render_query(sync.query, times, sync.timezone)


def query_of(sync: SyncSettings, times: SyncTimes) -> SelectQuery:
    """The query. Raises QueryFailed if it is not one SELECT that writes nothing."""
    return SelectQuery(render_sync(sync, times))
