"""acme_sqlite: calls become rows of an SQLite file; a repeated call replaces its row."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

from target_pipelines import (
    ConfigurationError,
    Delivered,
    DestinationType,
    EncodedCall,
    Fatal,
    Limits,
    Outcome,
    Retry,
    Setting,
    TargetSettings,
    hookimpl,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SETTINGS = (
    Setting(
        "database_path",
        {"type": "string", "minLength": 1},
        "The SQLite file; created if it is missing.",
        required=True,
    ),
)
_CREATE = "CREATE TABLE IF NOT EXISTS calls (message_id TEXT PRIMARY KEY, type TEXT, call TEXT)"
_INSERT = "INSERT OR REPLACE INTO calls VALUES (?, ?, ?)"


class SqliteDestination:
    """One file, written by one sender, so that the rows keep their order."""

    limits = Limits(call_max_bytes=1_000_000, batch_max_bytes=4_000_000, batch_max_calls=1000)
    max_lanes = 1

    def __init__(self, path: str) -> None:
        self._path = path
        self.event_schemas: dict[str, dict[str, object]] = {}

    def open_sender(self) -> SqliteSender:
        """A sender with a connection of its own."""
        return SqliteSender(self._path)

    def close(self) -> None:
        """Do nothing: the sender closes its connection."""


class SqliteSender:
    """Writes each attempt as one transaction: all of its calls, or none."""

    def __init__(self, path: str, timeout_seconds: float = 5) -> None:
        # Opened by the main thread, and then used by one other thread only.
        self._connection = sqlite3.connect(path, timeout_seconds, check_same_thread=False)

    def send(self, calls: Sequence[EncodedCall]) -> Outcome:
        """Store the calls. They are on the disk when this returns."""
        rows = []
        for call in calls:
            head = json.loads(call.body)
            rows.append((head["messageId"], head["type"], call.body.decode()))
        try:
            with self._connection:
                self._connection.executemany(_INSERT, rows)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                return Retry("the database is locked")
            return Fatal(f"the database cannot be written ({error.sqlite_errorname})")
        return Delivered()

    def close(self) -> None:
        """Close the connection. Idempotent."""
        self._connection.close()


def open_database(settings: TargetSettings) -> SqliteDestination:
    """Create the table if it is missing. Raises ConfigurationError."""
    path = settings.destination_options["database_path"]
    try:
        connection = sqlite3.connect(path)
        with connection:
            connection.execute(_CREATE)
        connection.close()
    except sqlite3.Error as error:
        raise ConfigurationError(
            f"Setting `destination_options.database_path`: {path} cannot be used as a database. "
            "Correct it."
        ) from error
    return SqliteDestination(path)


DESTINATION = DestinationType(name="acme_sqlite", open=open_database, settings=SETTINGS)


@hookimpl
def register_destinations(register: Callable[[DestinationType], None]) -> None:
    """Register `acme_sqlite`."""
    register(DESTINATION)
