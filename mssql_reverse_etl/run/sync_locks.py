"""The locks of syncs in the database; a run holds them until the target has ended."""

from __future__ import annotations

import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.errors import LockUnproved
from mssql_reverse_etl.run.lock_watch import WatchedLock
from program_kit.events import IS_OUTCOME
from tap_mssql_query.errors import QueryFailed, ServerError
from tap_mssql_query.mssql.app_lock import acquire_sync_lock, holds_sync_locks
from tap_mssql_query.mssql.connections import Connections
from tap_mssql_query.mssql.transient_errors import retry_transient_errors
from tap_mssql_query.sync.run_errors import DATABASE_FAILED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_mssql_query.mssql.session import Session
    from tap_mssql_query.settings.model import DatabaseSettings, SyncSettings, TapSettings

_CONNECTION_LOST = ("08", "IMC0")
"""How the SQLSTATE of a connection begins that is gone; IMC0x: and that cannot be restored."""

logger = logging.getLogger(__name__)


class SyncLocks(contextlib.AbstractContextManager["SyncLocks"]):
    """Holds the locks of syncs until the end of the block.

    Attributes:
        held: the syncs whose locks were free.
        taken: the syncs of which another run is in progress.
        failed: the syncs whose server failed, and why.
    """

    def __init__(self, settings: TapSettings, syncs: Sequence[SyncSettings]) -> None:
        self._settings = settings
        self._connections = Connections(settings)
        self._syncs = syncs
        self._sessions: dict[str | None, Session] = {}
        self._open = contextlib.ExitStack()
        self.held: list[str] = []
        self.taken: list[str] = []
        self.failed: dict[str, str] = {}

    def __enter__(self) -> SyncLocks:
        for sync in self._syncs:
            self._acquire(sync)
        return self

    def __exit__(self, *_: Any) -> None:
        self._open.close()

    @property
    def exit_code(self) -> int:
        """The exit code of a run that has no other failure."""
        return ServerError.exit_code if self.failed else 0

    def session_of(self, sync: SyncSettings) -> Session:
        """The session that holds the lock of a sync; it can run short queries."""
        return self._sessions[sync.database.name]

    def watched(self) -> list[WatchedLock]:
        """One entry for each connection: while they are watched, nothing else may use them."""
        held: dict[str | None, list[SyncSettings]] = {}
        for sync in self._syncs:
            if sync.name in self.held:
                held.setdefault(sync.database.name, []).append(sync)
        return [
            _watched(self._sessions[name], syncs[0].database, [sync.name for sync in syncs])
            for name, syncs in held.items()
        ]

    def _acquire(self, sync: SyncSettings) -> None:
        if self._connections.failure_of(sync.database):
            logger.error("sync=%s failed: %s", sync.name, DATABASE_FAILED, extra=IS_OUTCOME)
            self.failed[sync.name] = DATABASE_FAILED
            return
        try:
            retry_transient_errors(
                lambda: self._connect(sync),
                may_retry=lambda: True,
                on_retry=lambda error, pause: logger.warning(
                    "sync=%s: %s Trying again in %.1f s.", sync.name, error, pause
                ),
            )
            is_free = acquire_sync_lock(self.session_of(sync), sync.name)
        except ServerError as error:
            logger.error(  # noqa: TRY400 - no bug
                "sync=%s failed: %s", sync.name, error, extra=IS_OUTCOME
            )
            self.failed[sync.name] = str(error)
            return
        if is_free:
            self.held.append(sync.name)
        else:
            self.taken.append(sync.name)
            logger.warning(
                "sync=%s skipped: another run of it is in progress; the next run catches up",
                sync.name,
            )

    def _connect(self, sync: SyncSettings) -> None:
        name = sync.database.name
        if name not in self._sessions:
            session = self._connections.open(sync.database)
            self._sessions[name] = session
            self._open.callback(session.close)


def _watched(session: Session, database: DatabaseSettings, syncs: Sequence[str]) -> WatchedLock:
    return WatchedLock(
        protects=f"sync={','.join(syncs)}",
        syncs=syncs,
        exit_code=ServerError.exit_code,
        find_loss=partial(_find_loss, session, database, syncs),
    )


def _find_loss(
    session: Session, database: DatabaseSettings, syncs: Sequence[str], seconds: float
) -> str | None:
    """How the locks of a session were lost; None if it holds them. Raises LockUnproved."""
    try:
        is_held = holds_sync_locks(session, syncs, timeout_seconds=seconds)
    except QueryFailed as error:
        reason = str(error).removesuffix(".")
        if error.sqlstate.startswith(_CONNECTION_LOST):
            return f"its connection to {database.label} is gone ({reason})"
        unproved = f"its connection to {database.label} cannot be used ({reason})"
        if isinstance(error.__cause__, TimeoutError):  # no further question is possible
            return unproved
        raise LockUnproved(unproved) from error
    return None if is_held else f"the server {database.label} has released it"


def lock_options(syncs: Sequence[str]) -> list[str]:
    """Arguments of the tap: read only these syncs, whose locks the caller holds."""
    return [argument for sync in syncs for argument in ("--locked", sync)]
