"""The locks of syncs in the database; a run holds them until the target has ended."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

from tap_mssql_query.errors import ServerError
from tap_mssql_query.mssql.app_lock import acquire_sync_lock
from tap_mssql_query.mssql.connections import Connections
from tap_mssql_query.mssql.transient_errors import retry_transient_errors
from tap_mssql_query.sync.run_errors import DATABASE_FAILED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_mssql_query.mssql.session import Session
    from tap_mssql_query.settings.model import SyncSettings, TapSettings

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

    def _acquire(self, sync: SyncSettings) -> None:
        if self._connections.failure_of(sync.database):
            logger.error("sync=%s failed: %s", sync.name, DATABASE_FAILED)
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
            logger.error("sync=%s failed: %s", sync.name, error)  # noqa: TRY400 - no bug
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


def lock_options(syncs: Sequence[str]) -> list[str]:
    """Arguments of the tap: read only these syncs, whose locks the caller holds."""
    return [argument for sync in syncs for argument in ("--locked", sync)]
