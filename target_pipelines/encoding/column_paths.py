"""Where a column goes in a call, by its name. Pure.

A name that the call type knows goes to the top level; `context.*`, `integrations.*` and the call
type's own container nest by dots; every other column becomes a trait or a property.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from target_pipelines.api.call_types import CallType

Path = tuple[str, ...]

DELETED_COLUMN = "_sdc_deleted_at"
"""What Singer taps fill in when a row is gone at the source."""
_METADATA = "_sdc_"
"""How Singer names columns about the extraction, which are no traits of anybody."""


def find_path(column: str, columns: Sequence[str], call_type: CallType) -> Path:
    """The path of a column, one of `columns`; empty if the call type has no field for it."""
    if is_metadata(column):
        return ()
    known = call_type.schema.get("properties", {})
    if top := _match(column, known, taken=columns):
        return (top,)
    first, _, rest = column.partition(".")
    container = _match(first, known) if rest else None
    if container and known[container].get("type") == "object":
        return (container, *_match_path(rest, known[container]))
    if call_type.extra_columns is None:
        return ()
    extra = known.get(call_type.extra_columns, {})
    inner = extra.get("properties", {})
    if name := _match(column, inner, taken=columns):
        return (call_type.extra_columns, name)
    if rest and (object_name := _match(first, inner)) and _is_object(inner[object_name]):
        return (call_type.extra_columns, *_match_path(column, extra))
    return (call_type.extra_columns, column)


def is_metadata(column: str) -> bool:
    """Whether a column is about the extraction rather than about the row."""
    return column[: len(_METADATA)].casefold() == _METADATA


def deleted_column_of(columns: Iterable[str]) -> str | None:
    """The column that says when a row was deleted, in whatever case its tap writes it."""
    return next((column for column in columns if column.casefold() == DELETED_COLUMN), None)


def schema_at(schema: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """The schema of the field at a path; empty if there is none."""
    for name in path:
        schema = schema.get("properties", {}).get(name) or _schema_of_others(schema)
    return schema


def _schema_of_others(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of the members that an object's schema does not name."""
    others = schema.get("additionalProperties")
    return others if isinstance(others, dict) else {}


def _is_object(schema: Mapping[str, Any]) -> bool:
    return "object" in (schema.get("type") or ())


def _match(name: str, known: Mapping[str, Any], taken: Sequence[str] = ()) -> str | None:
    """The exact name if it is known, else the known name that differs in case only.

    A known name that another column has exactly (`taken`) matches that column only.
    """
    if name in known:
        return name
    folded = name.casefold()
    return next((k for k in known if k.casefold() == folded and k not in taken), None)


def _match_path(name: str, schema: Mapping[str, Any]) -> Path:
    """The path of a name with dots, which nests at them.

    An object with members of any name, such as `integrations`, takes the rest as one name.
    """
    path: list[str] = []
    rest = name
    while rest:
        known = schema.get("properties", {})
        if _schema_of_others(schema):
            path.append(_match(rest, known) or rest)
            break
        first, _, rest = rest.partition(".")
        path.append(_match(first, known) or first)
        schema = known.get(path[-1], {})
    return tuple(path)


def names_in(schema: Any) -> Iterator[str]:
    """All names of members that a schema mentions, at any depth."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        yield from schema.get("required", ())
        for value in schema.values():
            yield from names_in(value)
    elif isinstance(schema, (list, tuple)):
        for value in schema:
            yield from names_in(value)
