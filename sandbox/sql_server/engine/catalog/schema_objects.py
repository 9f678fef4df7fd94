"""Databases, tables and views with SQL Server's types and defaults, which DuckDB cannot keep."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.sql_server.results import SqlType

SCHEMA = "dbo"
FIRST_OBJECT_ID = 1_000_000


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A table's column; `default` is T-SQL, `sequence` fills IDENTITY and timestamp columns."""

    name: str
    type: SqlType
    nullable: bool = True
    default: str | None = None
    sequence: str | None = None
    is_identity: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table and its columns; `keys` maps key columns to the constraint's name."""

    name: str
    schema: str
    columns: tuple[TableColumn, ...]
    duckdb_name: str
    keys: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    is_temporary: bool = False

    def find(self, name: str) -> TableColumn | None:
        """The column of this name, case-insensitively."""
        wanted = name.lower()
        return next((c for c in self.columns if c.name.lower() == wanted), None)


@dataclass(frozen=True, slots=True)
class View:
    """A view; its T-SQL is translated at each use."""

    name: str
    schema: str
    query: str
    columns: tuple[str, ...] = ()


@dataclass(slots=True)
class SchemaObjects:
    """Tables and views by schema and name, case-insensitively."""

    _by_name: dict[tuple[str, str], Table | View] = field(default_factory=dict)

    def find(self, schema: str, name: str) -> Table | View | None:
        """The object, or None."""
        return self._by_name.get((schema.lower(), name.lower()))

    def all(self) -> list[Table | View]:
        """All objects, in order of creation."""
        return list(self._by_name.values())

    def put(self, entry: Table | View) -> Callable[[], None]:
        """Add or replace an object; returns a function that undoes it."""
        key = (entry.schema.lower(), entry.name.lower())
        before = self._by_name.get(key)
        self._by_name[key] = entry
        return lambda: self._restore(key, before)

    def drop(self, entry: Table | View) -> Callable[[], None]:
        """Remove an object; returns a function that undoes it."""
        key = (entry.schema.lower(), entry.name.lower())
        del self._by_name[key]
        return lambda: self._restore(key, entry)

    def _restore(self, key: tuple[str, str], before: Table | View | None) -> None:
        if before is None:
            self._by_name.pop(key, None)
        else:
            self._by_name[key] = before


@dataclass(slots=True)
class Database:
    """A database, its DuckDB catalog and its database id."""

    name: str
    catalog: str
    number: int
    objects: SchemaObjects = field(default_factory=SchemaObjects)
