"""Logins, roles and permissions."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.sql_server.results import SqlError

READER, ADMINISTRATOR = "reader", "administrator"
_NAMED = (
    "The {permission} permission was denied on the object '{name}', database '{database}', "
    "schema '{schema}'."
)

ObjectKey = tuple[str, str, str]
"""Database, schema and object name, in lower case."""


@dataclass(slots=True)
class Permissions:
    """The permissions of one login: a reader may SELECT, plus GRANTs and minus DENYs."""

    login: str
    role: str
    _granted: set[tuple[str, ObjectKey]] = field(default_factory=set)
    _denied: set[tuple[str, ObjectKey]] = field(default_factory=set)

    @property
    def is_administrator(self) -> bool:
        """Whether the login may do everything."""
        return self.role == ADMINISTRATOR

    @property
    def user_name(self) -> str:
        """The login's user in a database."""
        return "dbo" if self.is_administrator else self.login

    def has(self, permission: str, key: ObjectKey | None = None) -> bool:
        """Whether the login has this permission, on an object or on the database."""
        if self.is_administrator:
            return True
        permission = permission.upper()
        if key is not None and (permission, key) in self._denied:
            return False
        if key is not None and (permission, key) in self._granted:
            return True
        return permission in ("SELECT", "CONNECT")

    def check(self, permission: str, database: str, schema: str, name: str) -> None:
        """Raise SqlError 229 unless the login has this permission on the object."""
        if not self.has(permission, (database.lower(), schema.lower(), name.lower())):
            names = {"name": name, "database": database, "schema": schema}
            message = _NAMED.format(permission=permission.upper(), **names)
            raise SqlError(229, message, state=5, severity=14)

    def check_creation(self, kind: str, database: str) -> None:
        """Raise SqlError 262 unless the login may create tables and views."""
        if not self.is_administrator:
            message = f"CREATE {kind} permission denied in database '{database}'."
            raise SqlError(262, message, severity=14)

    def grant(self, permission: str, key: ObjectKey) -> None:
        """GRANT a permission."""
        self._denied.discard((permission.upper(), key))
        self._granted.add((permission.upper(), key))

    def deny(self, permission: str, key: ObjectKey) -> None:
        """DENY a permission; it overrides GRANT."""
        self._denied.add((permission.upper(), key))

    def revoke(self, permission: str, key: ObjectKey) -> None:
        """REVOKE a GRANT or DENY."""
        self._denied.discard((permission.upper(), key))
        self._granted.discard((permission.upper(), key))


@dataclass(frozen=True, slots=True)
class Login:
    """A login's name, password and permissions."""

    name: str
    password: str
    permissions: Permissions
