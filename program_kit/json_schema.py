"""Validates values against JSON Schema, and describes errors without the values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jsonschema import ValidationError


def find_schema_errors(
    schema: Mapping[str, Any], config: Mapping[str, Any]
) -> list[ValidationError]:
    """All violations of a schema, ordered by path."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - slow

    return sorted(
        Draft202012Validator(schema).iter_errors(dict(config)),
        key=lambda error: list(map(str, error.path)),
    )


def describe_schema_error(error: ValidationError) -> str:
    """What is wrong, without the value, which may be a password: "must be one of us, eu"."""
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
            return f"violates the rule {error.validator} {expected}"


def _keys_of(error: ValidationError) -> list[str]:
    instance: Any = error.instance
    return list(instance)


def required_names(schema: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The names that a schema requires; those in nested objects as `outer.inner`."""
    inner = schema.get("properties", {})
    names: list[str] = []
    for name in schema.get("required", ()):
        below = required_names(inner.get(name, {}), f"{prefix}{name}.")
        names += below or [f"{prefix}{name}"]
    return names
