"""One run of a sync at a time, on whatever machine: a lock that the database session holds.

Source: sp_getapplock. A login that may only read can take it; it ends with the session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_mssql_query.mssql.session import Session

_GRANTED = (0, 1)


def take_run_lock(session: Session, sync: str) -> bool:
    """Take the lock of a sync, if no other session has it. Raises QueryFailed.

    `sync` holds letters, digits, `_` and `-` only, as the settings demand.
    """
    ((status,),) = session.fetch_all(
        "SET NOCOUNT ON; DECLARE @status int; "
        f"EXEC @status = sp_getapplock @Resource = N'tap-mssql-query/{sync}', "
        "@LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 0; "
        "SELECT @status AS status"
    )
    return status in _GRANTED
