"""Validates values against JSON Schema, and describes errors without the values."""

from __future__ import annotations

import difflib
import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from program_kit.problems import Problem
from program_kit.settings import COMMENT_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jsonschema import ValidationError


_LIMITS = {"minimum": "must be at least", "maximum": "must be at most"}


def find_schema_errors(
    schema: Mapping[str, Any], config: Mapping[str, Any]
) -> list[ValidationError]:
    """All violations of a schema, ordered by path."""
    if _is_valid(schema, config):
        return []
    from jsonschema import (  # noqa: PLC0415 - slow
        Draft202012Validator,
        ValidationError,
        validators,
    )

    def check_pattern(_: Any, pattern: str, value: Any, __: Any) -> Iterator[ValidationError]:
        # In Python `$` also matches before a line feed at the end; in JSON Schema it does not.
        exact = f"{pattern[:-1]}\\Z" if pattern.endswith("$") else pattern
        if isinstance(value, str) and not re.search(exact, value):
            yield ValidationError(f"does not match {pattern}")

    validator: Any = validators.extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, {"pattern": check_pattern}
    )
    return sorted(
        validator(schema).iter_errors(dict(config)),
        key=lambda error: list(map(str, error.path)),
    )


def _is_valid(schema: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Whether the fast validator finds nothing; the slow one can say what is wrong."""
    from jsonschema_rs import Draft202012Validator  # noqa: PLC0415 - not for --help

    try:
        return Draft202012Validator(dict(schema)).is_valid(config)
    except ValueError:  # a value or a pattern that only the other one takes
        return False


def describe_setting(path: Sequence[str | int]) -> str:
    """What a path of a configuration leads to: "Setting `syncs[2].query`"."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return f"Setting `{text.lstrip('.')}`" if text else "The configuration"


def describe_violation(error: ValidationError, subject: str = "") -> Problem:
    """A violation as a sentence, at the setting that is wrong, or at the key that is unknown."""
    path = tuple(error.absolute_path)
    sentence = f"{subject or describe_setting(path)} {describe_schema_error(error)}."
    if error.validator == "additionalProperties":
        known: Any = error.schema.get("properties", {})  # type: ignore[union-attr]
        path += tuple(islice((n for n in _keys_of(error) if n not in known), 1))
    return Problem(sentence, path)


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
        case "enum" if "propertyNames" in error.absolute_schema_path:
            return _describe_unknown([str(error.instance)], list(expected))
        case "enum":
            return f"must be one of {', '.join(map(str, expected))}"
        case "pattern":
            return f"must match {expected}"
        case "additionalProperties":
            known: Any = error.schema.get("properties", {})  # type: ignore[union-attr]
            unknown = [n for n in _keys_of(error) if n not in known and n != COMMENT_KEY]
            return _describe_unknown(unknown, list(known))
        case "minLength":
            return "must not be empty"
        case "anyOf" if all(required_names(choice) for choice in expected):
            choices = [" and ".join(f"`{name}`" for name in required_names(c)) for c in expected]
            return f"needs {' or '.join(choices)}"
        case "format":
            return f"must be a {expected}"
        case _:
            limit = _LIMITS.get(str(error.validator), f"violates the rule {error.validator}")
            return f"{limit} {expected}"


def _describe_unknown(unknown: Sequence[str], known: Sequence[str]) -> str:
    """The unknown keys, the known ones, and those of them that the unknown ones resemble."""
    nearest = [match for name in unknown if (match := nearest_name(name, known))]
    hint = f" (did you mean {', '.join(f'`{name}`' for name in nearest)}?)" if nearest else ""
    return f"has unknown keys: {', '.join(unknown)}; known are {', '.join(known) or 'none'}{hint}"


def nearest_name(name: str, known: Sequence[str]) -> str | None:
    """The known name that a mistyped one most resembles, without regard to case and hyphens."""
    by_plain = {_plain(other): other for other in known}
    matches = difflib.get_close_matches(_plain(name), by_plain, n=1, cutoff=0.7)
    return by_plain[matches[0]] if matches else None


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


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
