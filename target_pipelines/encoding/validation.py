"""Why a call violates its schema, in words that contain no values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from program_kit.settings import complaint_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jsonschema import ValidationError

    from target_pipelines.api.call_types import Json


def describe_violation(schema: Mapping[str, Any], call: Json) -> str:
    """The most relevant violation of the schema, as a sentence; empty if there is none.

    The call has plain JSON types, as a decoder makes them.
    """
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - slow
    from jsonschema.exceptions import relevance  # noqa: PLC0415 - with it

    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    error = max(validator.iter_errors(call), key=relevance, default=None)
    return f"{_field_path(error)} {complaint_of(error)}." if error else ""


def has_text_keys(value: Any) -> bool:
    """Whether all keys of all objects are strings; the encoder would write numbers as strings."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and has_text_keys(inner) for key, inner in value.items())
    return all(map(has_text_keys, value)) if isinstance(value, list) else True


def _field_path(error: ValidationError) -> str:
    path = ".".join(map(str, error.absolute_path))
    return f"Field `{path}`" if path else "The call"
