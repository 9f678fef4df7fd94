"""A translated statement that changes rows, and its table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.sql_server.engine.catalog.schema_objects import Table, View
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from sandbox.sql_server.engine.catalog.object_names import ObjectName
    from sandbox.sql_server.engine.translation.translator import Translator


@dataclass(frozen=True, slots=True)
class WriteStatement:
    """DuckDB SQL and the table that it changes; `sequence` fills the identity column."""

    sql: str
    table: Table
    database: str
    action: str
    sequence: str | None = None


def target_table(translator: Translator, name: ObjectName, permission: str) -> tuple[Table, str]:
    """The table to change, and its database's name."""
    found = translator.context.table(name)
    translator.context.check(permission, name, found)
    if isinstance(found, View):
        message = f"View or function '{name.written}' is not updatable."
        raise SqlError(4406, message)
    database = translator.context.find_database(name.database)
    return found, "tempdb" if found.is_temporary or database is None else database.name
