"""The connections of one run: a database that could not be reached is not tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_mssql_query.errors import ConfigurationError, ConnectionFailed
from tap_mssql_query.mssql.connect import connect

if TYPE_CHECKING:
    from tap_mssql_query.mssql.session import Session
    from tap_mssql_query.settings.model import DatabaseSettings, TapSettings


class Connections:
    """Opens sessions, and remembers of each database whether its last login failed."""

    def __init__(self, settings: TapSettings) -> None:
        self._settings = settings
        self._failures: dict[str | None, ConnectionFailed | ConfigurationError] = {}

    def open(self, database: DatabaseSettings) -> Session:
        """Open a session. Raises ConnectionFailed, or ConfigurationError without a driver."""
        try:
            session = connect(database, self._settings)
        except (ConnectionFailed, ConfigurationError) as error:
            self._failures[database.name] = error
            raise
        self._failures.pop(database.name, None)
        return session

    def failure_of(
        self, database: DatabaseSettings
    ) -> ConnectionFailed | ConfigurationError | None:
        """Why the last attempt to open a session failed; None if it did not."""
        return self._failures.get(database.name)
