"""Name resolution in queries: columns of the tables in FROM, CTEs, outer queries."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sandbox.sql_server.engine.values.typed_sql import TypedSql, quote
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sandbox.sql_server.results import SqlType


@dataclass(frozen=True, slots=True)
class Field:
    """A named column of a table or query."""

    name: str
    type: SqlType
    nullable: bool = True
    in_ticks: bool = False
    is_identity: bool = False
    is_json: bool = False
    is_untyped_null: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A translated query: DuckDB SQL and its fields; `output_names` are their DuckDB names."""

    sql: str
    fields: tuple[Field, ...]

    @property
    def output_names(self) -> list[str]:
        """DuckDB's names of the fields."""
        return [output_name(f.name, index) for index, f in enumerate(self.fields)]


def output_name(name: str, index: int) -> str:
    """DuckDB's name for a field: its own, or a placeholder if it has none."""
    return name or f"?{index}"


def renamed(fields: Sequence[Field], names: Sequence[str], owner: str) -> tuple[Field, ...]:
    """The fields with the names of a column alias list.

    Raises:
        SqlError: 8155 unnamed field, 8156 duplicate name, 8158 wrong number of names.
    """
    if names and len(names) != len(fields):
        message = f"'{owner}' has more columns than were specified in the column list."
        raise SqlError(8158, message)
    names = names or [f.name for f in fields]
    result = tuple(replace(f, name=name) for f, name in zip(fields, names, strict=True))
    seen: set[str] = set()
    for index, f in enumerate(result, start=1):
        if not f.name:
            raise SqlError(8155, f"No column name was specified for column {index} of '{owner}'.")
        if f.name.lower() in seen:
            message = f"The column '{f.name}' was specified multiple times for '{owner}'."
            raise SqlError(8156, message)
        seen.add(f.name.lower())
    return result


@dataclass(frozen=True, slots=True)
class Source:
    """A table in FROM, by its alias."""

    alias: str
    fields: tuple[Field, ...]

    def columns(self, name: str) -> Iterator[TypedSql]:
        """The columns of this name, case-insensitively."""
        wanted = name.lower()
        return (self.column(f) for f in self.fields if f.name.lower() == wanted)

    def as_nullable(self) -> Source:
        """The source as an outer join makes it: every column is nullable."""
        return Source(self.alias, tuple(replace(f, nullable=True) for f in self.fields))

    def column(self, chosen: Field) -> TypedSql:
        """One of its fields as an expression."""
        return TypedSql(
            f"{quote(self.alias)}.{quote(chosen.name)}",
            chosen.type,
            chosen.nullable,
            in_ticks=chosen.in_ticks,
            is_identity=chosen.is_identity,
        )


@dataclass(slots=True)
class Scope:
    """The names visible to an expression; `parent` is the scope of the outer query."""

    parent: Scope | None = None
    sources: list[Source] = field(default_factory=list)
    ctes: dict[str, tuple[Field, ...]] = field(default_factory=dict)

    def find_cte(self, name: str) -> tuple[Field, ...] | None:
        """The fields of a CTE, here or in an outer query."""
        scope: Scope | None = self
        while scope is not None:
            if name.lower() in scope.ctes:
                return scope.ctes[name.lower()]
            scope = scope.parent
        return None

    def parent_with_ctes(self) -> Scope:
        """What a derived table sees: the CTEs, but not the tables beside it."""
        return Scope(self.parent, ctes=self.ctes)

    def column(self, name: str, qualifier: str = "") -> TypedSql:
        """The column of this name.

        Raises:
            SqlError: 207 unknown, 209 ambiguous, 4104 unknown qualifier.
        """
        scope: Scope | None = self
        is_qualifier_known = False
        while scope is not None:
            sources = scope.matching(qualifier)
            is_qualifier_known |= bool(sources)
            found = [expr for source in sources for expr in source.columns(name)]
            if len(found) > 1:
                raise SqlError(209, f"Ambiguous column name '{name}'.")
            if found:
                return found[0]
            scope = scope.parent
        if qualifier and not is_qualifier_known:
            identifier = f'"{qualifier}.{name}"'
            raise SqlError(4104, f"The multi-part identifier {identifier} could not be bound.")
        raise SqlError(207, f"Invalid column name '{name}'.")

    def matching(self, qualifier: str) -> Sequence[Source]:
        """The sources with this alias; all without one."""
        if not qualifier:
            return self.sources
        return [s for s in self.sources if s.alias.lower() == qualifier.lower()]
