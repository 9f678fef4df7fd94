"""A table of settings, and its JSON Schema. Each program has a table of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of a settings table; `schema` is the JSON Schema of its value."""

    name: str
    schema: Mapping[str, Any]
    help: str
    default: Any = None
    required: bool = False
    secret: bool = False


def json_schema_of(settings: Iterable[Setting], *, closed: bool) -> dict[str, Any]:
    """JSON Schema of an object with these settings; `closed` refuses any other."""
    settings = list(settings)
    properties = {setting.name: _property_of(setting) for setting in settings}
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required := [setting.name for setting in settings if setting.required]:
        schema["required"] = required
    return {**schema, "additionalProperties": False} if closed else schema


def _property_of(setting: Setting) -> dict[str, Any]:
    schema = {**setting.schema, "description": setting.help}
    if setting.default is not None:
        schema["default"] = setting.default
    return {**schema, "secret": True, "writeOnly": True} if setting.secret else schema
