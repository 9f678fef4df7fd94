"""Names of tables and views, with schema and database."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ObjectName:
    """The parts of a name as written; empty where omitted."""

    name: str
    schema: str = ""
    database: str = ""

    @property
    def written(self) -> str:
        """The name as error messages quote it."""
        parts = [part for part in (self.database, self.schema, self.name) if part]
        return ".".join(parts)

    @property
    def is_temporary(self) -> bool:
        """Whether it names a temporary table."""
        return self.name.startswith("#")


def parse_object_name(text: str) -> ObjectName:
    """Parse a name given as text, such as `dbo.[users]`."""
    parts = [part.strip('[]" ') for part in text.split(".")]
    *_, database, schema, name = ("", "", *parts)
    return ObjectName(name, schema, database)
