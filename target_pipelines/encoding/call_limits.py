"""What a destination requires of every call, on top of the schema of the call's type. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_pipelines.api.call_types import CallType

Schema = dict[str, Any]


def with_limits(call_type: CallType, limits: Mapping[str, Any]) -> CallType:
    """The call type, whose schema is joined with a destination's `call_schema`."""
    if not limits:
        return call_type
    return replace(call_type, schema=_join(call_type.schema, limits))


def _join(schema: Mapping[str, Any], limits: Mapping[str, Any]) -> Schema:
    """A schema that demands both; the properties of both are in one place, where mapping looks."""
    joined: Schema = dict(schema)
    others = {}
    for keyword, value in limits.items():
        if keyword == "properties":
            known = schema.get("properties", {})
            names = {name: _join(known.get(name, {}), value[name]) for name in value}
            joined["properties"] = {**known, **names}
        elif keyword in joined:
            others[keyword] = value
        else:
            joined[keyword] = value
    if others:
        joined["allOf"] = [*joined.get("allOf", ()), others]
    return joined
