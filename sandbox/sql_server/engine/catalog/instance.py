"""What all sessions share: databases, logins, application locks, the clock."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import duckdb

from sandbox.sql_server.engine.catalog.application_locks import LockManager
from sandbox.sql_server.engine.catalog.permissions import ADMINISTRATOR, Login, Permissions
from sandbox.sql_server.engine.catalog.schema_objects import SCHEMA, Database
from sandbox.sql_server.engine.values.typed_sql import quote
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

MASTER = "master"
_FIRST_SESSION = 51
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "error_on_division_by_zero": "true",
}
_ALLOWED_ROLES = (ADMINISTRATOR, "reader")


@dataclass(slots=True)
class Instance:
    """The state of a server; DuckDB keeps each database as an in-memory catalog."""

    clock: Callable[[], datetime]
    connection: duckdb.DuckDBPyConnection = field(
        default_factory=lambda: duckdb.connect(":memory:", config=_SETTINGS)
    )
    databases: dict[str, Database] = field(default_factory=dict)
    logins: dict[str, Login] = field(default_factory=dict)
    locks: LockManager = field(default_factory=LockManager)
    guard: threading.Lock = field(default_factory=threading.Lock)
    _session_ids: Iterator[int] = field(default_factory=lambda: itertools.count(_FIRST_SESSION))

    def next_session_id(self) -> int:
        """A session id that is not in use."""
        with self.guard:
            return next(self._session_ids)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A DuckDB connection of its own to all databases."""
        with self.guard:
            return self.connection.cursor()

    def create_database(self, name: str) -> Database:
        """Create an empty database.

        Raises:
            SqlError: 1801, it already exists.
        """
        with self.guard:
            if name.lower() in self.databases:
                message = f"Database '{name}' already exists. Choose a different database name."
                raise SqlError(1801, message, state=3)
            number = len(self.databases) + 1
            database = Database(name, f"db{number}", number)
            self.connection.execute(f"ATTACH ':memory:' AS {database.catalog}")
            self.connection.execute(f"CREATE SCHEMA {database.catalog}.{quote(SCHEMA)}")
            self.databases[name.lower()] = database
            return database

    def add_login(self, name: str, password: str, role: str) -> None:
        """Add a login, or change its password and role."""
        if role not in _ALLOWED_ROLES:
            raise ValueError(f"role must be one of {', '.join(_ALLOWED_ROLES)}, not {role!r}")
        self.logins[name.lower()] = Login(name, password, Permissions(name, role))

    def check_login(self, name: str, password: str) -> Login:
        """The login of this name.

        Raises:
            SqlError: 18456, unknown login or wrong password.
        """
        login = self.logins.get(name.lower())
        if login is None or login.password != password:
            raise SqlError(18456, f"Login failed for user '{name}'.", severity=14)
        return login

    def default_database(self) -> Database:
        """The first user database, or master."""
        own = [database for key, database in self.databases.items() if key != MASTER]
        return own[0] if own else self.databases[MASTER]
