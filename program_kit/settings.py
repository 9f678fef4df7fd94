"""A table of settings, and its JSON Schema. Each program has a table of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

COMMENT_KEY = "$schema"
"""Welcome in every object of a configuration: editors read it, the programs do not."""
_COMMENT: dict[str, Any] = {r"^\$schema$": {}}

_PLACEHOLDER = re.compile(
    r"\$\{.*\}|\$\(.*\)|\$[A-Z_][A-Z0-9_]*|\{\{.*\}\}|%[A-Z_][A-Z0-9_]*%|…|\.\.\.", re.DOTALL
)


def without_comments(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration without `$schema`, at any depth."""
    plain: dict[str, Any] = _without_comments(config)
    return plain


def _without_comments(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_comments(v) for k, v in value.items() if k != COMMENT_KEY}
    return [_without_comments(item) for item in value] if isinstance(value, list) else value


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
    if not closed:
        return schema
    return {**schema, "additionalProperties": False, "patternProperties": _COMMENT}


def _property_of(setting: Setting) -> dict[str, Any]:
    schema = {**setting.schema, "description": setting.help}
    if setting.default is not None:
        schema["default"] = setting.default
    return {**schema, "secret": True, "writeOnly": True} if setting.secret else schema


def is_placeholder(value: object) -> bool:
    """Whether a value is a reference that was not replaced, such as `${PASSWORD}` or `$NAME`."""
    return isinstance(value, str) and _PLACEHOLDER.fullmatch(value.strip()) is not None


def describe_placeholder(setting: str) -> str:
    """The problem of a setting whose value is a placeholder; the value is not shown."""
    return (
        f"{setting} still is a placeholder, such as ${{NAME}}: nothing replaced it. Set the "
        "environment variable that it names where the program starts, or write the value itself"
    )
