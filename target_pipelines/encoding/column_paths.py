"""Where a column goes in a call, by its name. Pure.

A name that the call type knows goes to the top level; `context.*`, `integrations.*` and the call
type's own container nest by dots; every other column becomes a trait or a property.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from target_pipelines.api.call_types import CallType

Path = tuple[str, ...]


def find_path(column: str, columns: Sequence[str], call_type: CallType) -> Path:
    """The path of a column, one of `columns`; empty if the call type has no field for it."""
    known = call_type.schema.get("properties", {})
    if top := _match(column, known, taken=columns):
        return (top,)
    first, _, rest = column.partition(".")
    container = _match(first, known) if rest else None
    if container and known[container].get("type") == "object":
        return (container, *_match_path(rest.split("."), known[container]))
    if call_type.extra_columns is None:
        return ()
    inner = known.get(call_type.extra_columns, {}).get("properties", {})
    return (call_type.extra_columns, _match(column, inner, taken=columns) or column)


def schema_at(schema: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """The schema of the field at a path; empty if there is none."""
    for name in path:
        schema = schema.get("properties", {}).get(name, {})
    return schema


def _match(name: str, known: Mapping[str, Any], taken: Sequence[str] = ()) -> str | None:
    """The exact name if it is known, else the known name that differs in case only.

    A known name that another column has exactly (`taken`) matches that column only.
    """
    if name in known:
        return name
    folded = name.casefold()
    return next((k for k in known if k.casefold() == folded and k not in taken), None)


def _match_path(names: Sequence[str], schema: Mapping[str, Any]) -> Path:
    path: list[str] = []
    for name in names:
        known = schema.get("properties", {})
        path.append(_match(name, known) or name)
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
