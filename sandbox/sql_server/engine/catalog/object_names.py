"""Names of tables and views, with schema and database."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ObjectName:
    """The parts of a name as they are written; empty where they are left out."""

    name: str
    schema: str = ""
    database: str = ""

    @property
    def written(self) -> str:
        """As messages quote it."""
        parts = [part for part in (self.database, self.schema, self.name) if part]
        return ".".join(parts)

    @property
    def is_temporary(self) -> bool:
        """It names a table of the session."""
        return self.name.startswith("#")


def parse_object_name(text: str) -> ObjectName:
    """A name that is written inside a string, such as `dbo.[users]`."""
    parts = [part.strip('[]" ') for part in text.split(".")]
    *_, database, schema, name = ("", "", *parts)
    return ObjectName(name, schema, database)
