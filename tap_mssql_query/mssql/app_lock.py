"""An application lock in the database, so that a sync runs once at a time on all machines.

Source: sp_getapplock. A read-only login may acquire it. It is released when the session ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_mssql_query.mssql.session import Session

_GRANTED = (0, 1)


def acquire_sync_lock(session: Session, sync: str) -> bool:
    """Acquire the lock of a sync; False if another session holds it. Raises QueryFailed.

    The settings allow only letters, digits, `_` and `-` in `sync`.
    """
    ((status,),) = session.fetch_all(
        "SET NOCOUNT ON; DECLARE @status int; "
        f"EXEC @status = sp_getapplock @Resource = N'tap-mssql-query/{sync}', "
        "@LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 0; "
        "SELECT @status AS status"
    )
    return status in _GRANTED
