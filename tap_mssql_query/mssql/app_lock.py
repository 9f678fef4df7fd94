"""An application lock in the database, so that a sync runs once at a time on all machines.

Source: sp_getapplock. A read-only login may acquire it. It is released when the session ends, also
without a word to the client: whoever sends under it asks now and then whether it is still held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_mssql_query.mssql.session import Session

_GRANTED = (0, 1)
_HELD = "Exclusive"


def acquire_sync_lock(session: Session, sync: str) -> bool:
    """Acquire the lock of a sync; False if another session holds it. Raises QueryFailed.

    The settings allow only letters, digits, `_` and `-` in `sync`.
    """
    ((status,),) = session.fetch_all(
        "SET NOCOUNT ON; DECLARE @status int; "
        f"EXEC @status = sp_getapplock @Resource = {_resource(sync)}, "
        "@LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 0; "
        "SELECT @status AS status"
    )
    return status in _GRANTED


def holds_sync_locks(session: Session, syncs: Sequence[str], *, timeout_seconds: float) -> bool:
    """Whether the session still holds the locks of these syncs. Raises QueryFailed.

    A driver that reconnects without a word gets a session that holds none.
    """
    modes = (f"APPLOCK_MODE('public', {_resource(sync)}, 'Session')" for sync in syncs)
    (row,) = session.fetch_all(f"SELECT {', '.join(modes)}", timeout_seconds=timeout_seconds)
    return all(mode == _HELD for mode in row)


def _resource(sync: str) -> str:
    return f"N'tap-mssql-query/{sync}'"
