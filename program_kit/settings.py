"""Rows of a settings table → JSON Schema, and the words for what breaks a schema.

Both programs use it; each has a table of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jsonschema import ValidationError


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


def find_errors(schema: Mapping[str, Any], config: Mapping[str, Any]) -> list[ValidationError]:
    """What breaks a schema, in the order of the places."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - slow

    return sorted(
        Draft202012Validator(schema).iter_errors(dict(config)),
        key=lambda error: list(map(str, error.path)),
    )


def complaint_of(error: ValidationError) -> str:
    """What is wrong, in words that never hold the value: it may be a password."""
    expected: Any = error.validator_value
    match error.validator:
        case "type":
            types = [expected] if isinstance(expected, str) else expected
            return f"must be of type {' or '.join(types)}"
        case "required":
            missing = [name for name in expected if name not in _keys_of(error)]
            return f"lacks {', '.join(f'`{name}`' for name in missing)}"
        case "enum":
            return f"must be one of {', '.join(map(str, expected))}"
        case "pattern":
            return f"must match {expected}"
        case "additionalProperties":
            known: Any = error.schema.get("properties", {})  # type: ignore[union-attr]
            unknown = [name for name in _keys_of(error) if name not in known]
            return f"has unknown keys: {', '.join(unknown)}; known are {', '.join(known) or 'none'}"
        case "minLength":
            return "must not be empty"
        case "anyOf" if all(required_names(choice) for choice in expected):
            choices = [" and ".join(f"`{name}`" for name in required_names(c)) for c in expected]
            return f"needs {' or '.join(choices)}"
        case "format":
            return f"must be a {expected}"
        case _:
            return f"breaks the rule {error.validator} {expected}"


def _keys_of(error: ValidationError) -> list[str]:
    instance: Any = error.instance
    return list(instance)


def required_names(schema: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Names that a schema requires, with dots for those inside of objects."""
    inner = schema.get("properties", {})
    names: list[str] = []
    for name in schema.get("required", ()):
        below = required_names(inner.get(name, {}), f"{prefix}{name}.")
        names += below or [f"{prefix}{name}"]
    return names
