"""Finds out whether any sync is due, before both programs are started for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_mssql_query.errors import ServerError, StateError
from tap_mssql_query.mssql.connect import server_time
from tap_mssql_query.sync.bookmarks import unwrap_state
from tap_mssql_query.sync.renames import carry_over
from tap_mssql_query.sync.resume_state import read_resume_state
from tap_mssql_query.sync.window import find_window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mssql_reverse_etl.run.sync_locks import SyncLocks
    from tap_mssql_query.settings.model import SyncSettings
    from tap_mssql_query.sync.run_options import RunOptions


def is_any_due(
    syncs: Sequence[SyncSettings], locks: SyncLocks, options: RunOptions, state: Mapping[str, Any]
) -> bool:
    """Whether a sync whose lock is held is due, by its server's clock; in doubt it is.

    The connections of the locks must not be watched yet.
    """
    try:
        state = carry_over(unwrap_state(dict(state)), syncs)
        return any(_is_due(sync, locks, options, state) for sync in syncs)
    except (ServerError, StateError):
        return True  # the tap says what is wrong


def _is_due(
    sync: SyncSettings, locks: SyncLocks, options: RunOptions, state: Mapping[str, Any]
) -> bool:
    if sync.name in options.start_now or read_resume_state(state, sync.name):
        return True
    if sync.frequency_seconds is None and sync.start_at is None:
        return True  # without a question to the server
    now = server_time(locks.session_of(sync))
    return find_window(sync, options, state, now=now) is not None
