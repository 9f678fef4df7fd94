"""The execution context of a statement: login, database, variables, clock, objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.sql_server.engine.catalog.schema_objects import SCHEMA, SchemaObjects, Table, View
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sandbox.sql_server.engine.catalog.application_locks import LockManager
    from sandbox.sql_server.engine.catalog.object_names import ObjectName
    from sandbox.sql_server.engine.catalog.permissions import Permissions
    from sandbox.sql_server.engine.catalog.schema_objects import Database
    from sandbox.sql_server.engine.values.typed_sql import TypedSql

TEMPORARY_CATALOG = "temp.main"
UNKNOWN_DATABASE = "Database '{}' does not exist. Make sure that the name is entered correctly."


@dataclass(frozen=True, slots=True)
class ExecutionContext:
    """One statement's view of its session."""

    database: str
    login: str
    permissions: Permissions
    session_id: int
    now: datetime
    variables: Mapping[str, TypedSql]
    global_variables: Mapping[str, int]
    databases: Mapping[str, Database]
    temporary: SchemaObjects
    locks: LockManager
    describes_only: bool = False
    caught_error: SqlError | None = None
    last_identity: int | None = None

    def find_database(self, name: str) -> Database | None:
        """The database of this name, case-insensitively; the current one if the name is empty."""
        return self.databases.get((name or self.database).lower())

    def find(self, name: ObjectName) -> Table | View | None:
        """A table or a view, or None."""
        if name.is_temporary:
            return self.temporary.find(SCHEMA, name.name)
        database = self.find_database(name.database)
        return database.objects.find(name.schema or SCHEMA, name.name) if database else None

    def table(self, name: ObjectName) -> Table | View:
        """A table or view.

        Raises:
            SqlError: 208, unknown object.
        """
        found = self.find(name)
        if name.database and self.find_database(name.database) is None:
            raise SqlError(911, UNKNOWN_DATABASE.format(name.database))
        if name.is_temporary and self.describes_only:
            message = (
                "The metadata could not be determined because the statement uses a temp table: "
                f"'{name.name}'."
            )
            raise SqlError(11526, message)
        if found is None:
            raise SqlError(208, f"Invalid object name '{name.written}'.")
        return found

    def check(self, permission: str, name: ObjectName, found: Table | View) -> None:
        """Raise SqlError 229 unless the login has this permission on the object."""
        if name.is_temporary:
            return
        database = self.find_database(name.database)
        assert database is not None  # noqa: S101 - the object was found in it
        self.permissions.check(permission, database.name, found.schema, found.name)

    def variable(self, name: str) -> TypedSql:
        """The value of a variable.

        Raises:
            SqlError: 137, not declared.
        """
        found = self.variables.get(name.lower())
        if found is None:
            raise SqlError(137, f'Must declare the scalar variable "{name}".', severity=15)
        return found

    def global_variable(self, name: str) -> Any:
        """The value of `@@NAME`; None if it is not one of the numeric ones."""
        return self.global_variables.get(name.upper())
