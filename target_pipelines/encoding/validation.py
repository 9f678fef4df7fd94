"""Checks calls against a JSON Schema, and explains violations in words that contain no values.

One validator decides and explains, so that no call is rejected without a reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jsonschema_rs import validator_for

from program_kit.json_schema import required_names
from target_pipelines.encoding.column_paths import names_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from jsonschema_rs import ValidationError

_NAMES_OF_CALLS = frozenset({"type", "traits", "properties"})
_ALTERNATIVES = ("anyOf", "oneOf")
_COMPARISONS = {
    "minimum": "is less than",
    "maximum": "is more than",
    "exclusiveMinimum": "is not more than",
    "exclusiveMaximum": "is not less than",
    "multipleOf": "is not a multiple of",
    "minLength": "is shorter than",
    "maxLength": "is longer than",
    "minItems": "has fewer items than",
    "maxItems": "has more items than",
    "minProperties": "has fewer members than",
    "maxProperties": "has more members than",
}


class CallValidator:
    """Checks calls, of plain JSON types as a decoder makes them, against one schema.

    Attributes:
        is_valid: whether a call satisfies the schema, formats included.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = dict(schema)
        self._names = frozenset(names_in(self._schema)) | _NAMES_OF_CALLS
        self._validator = validator_for(self._schema, validate_formats=True)
        self.is_valid = self._validator.is_valid

    def describe_violation(self, call: Any, columns: Iterable[str] = ()) -> str:
        """The most relevant violation, as a sentence; empty if there is none.

        It names members that the schema or one of the `columns` names. Others are keys in the JSON
        of a row, which are values.
        """
        shown = self._names.union(columns, *(column.split(".") for column in columns))
        errors = list(self._validator.iter_errors(call))
        if not errors:
            return ""
        first = min(errors, key=_relevance)
        if first.kind.name != "required":
            return f"{_field(first, shown)} {self._describe(first, shown)}."
        kinds: list[Any] = [e.kind for e in errors if e.instance_path == first.instance_path]
        missing = [f"`{kind.property}`" for kind in kinds if kind.name == "required"]
        return f"{_field(first, shown)} lacks {', '.join(missing)}."

    def _describe(self, error: ValidationError, shown: Collection[str]) -> str:
        """What is wrong with a field, and the type and size of its value."""
        schema, keyword = self._rule_of(error)
        if keyword == "falseSchema" and list(error.schema_path)[-1:] == ["additionalProperties"]:
            return "has unknown keys; known are none"
        expected: Any = schema.get(keyword)
        kind: Any = error.kind  # the attributes depend on the kind
        match keyword:
            case "required":
                return f"lacks `{kind.property}`"
            case "additionalProperties" | "unevaluatedProperties":
                known = ", ".join(schema.get("properties", {})) or "none"
                return f"has unknown keys: {_list(kind.unexpected, shown)}; known are {known}"
            case "anyOf" | "oneOf" if all(required_names(choice) for choice in expected or [{}]):
                return f"needs {_join_choices(expected)}"
            case "anyOf" | "oneOf" if problems := self._problems_of_branches(kind, shown):
                return f"fits none of its alternatives ({'; '.join(problems)})"
        came = describe_value(error.instance)
        return f"{_describe_rule(schema, keyword)}: {came}"

    def _problems_of_branches(self, kind: Any, shown: Collection[str]) -> list[str]:
        """The first violation of each alternative; none if more than one alternative fits."""
        firsts = [min(branch, key=_relevance) for branch in getattr(kind, "context", ()) if branch]
        return [
            f"{_field(first, shown, begins_sentence=False)} {self._describe(first, shown)}"
            for first in firsts
        ]

    def _rule_of(self, error: ValidationError) -> tuple[Mapping[str, Any], str]:
        """The part of the schema that a value violates, and the keyword in it."""
        schema: Any = self._schema
        keyword = error.kind.name
        path = error.schema_path
        for step in path[:-1] if path and path[-1] == keyword else path:
            try:
                schema = schema[step]
            except (KeyError, IndexError, TypeError):
                return {}, keyword
        return (schema if isinstance(schema, dict) else {}), keyword


def describe_value(value: Any) -> str:
    """Type and size of a value, such as "text of 9 letters"; never the value."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return f"text of {_count(len(value), _kind_of_text(value))}"
        case int():
            return f"an integer of {_count(len(str(abs(value))), 'digit')}"
        case dict():
            return f"an object of {_count(len(value), 'member')}"
        case list():
            return f"an array of {_count(len(value), 'item')}"
        case _:
            return "a number with a fraction or an exponent"


def has_text_keys(value: Any) -> bool:
    """Whether all keys of all objects are strings; the encoder would write numbers as strings."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and has_text_keys(inner) for key, inner in value.items())
    return all(map(has_text_keys, value)) if isinstance(value, list) else True


def _relevance(error: ValidationError) -> tuple[int, bool]:
    """Orders violations: those of outer objects first, then those that name a single rule."""
    return len(error.instance_path), error.kind.name in _ALTERNATIVES


def _describe_rule(schema: Mapping[str, Any], keyword: str) -> str:
    expected: Any = schema.get(keyword)
    if "format" in schema and keyword in ("format", "type", "pattern"):
        return f"is not a {schema['format']}"
    match keyword:
        case "type":
            types = [expected] if isinstance(expected, str) else expected or ["another"]
            return f"is not of type {' or '.join(types)}"
        case "enum":
            return f"is not one of {', '.join(map(str, expected or ()))}"
        case "pattern":
            return f"does not match {expected}"
        case "minLength" if expected == 1:
            return "is empty"
        case "falseSchema":
            return "is not allowed"
        case _ if keyword in _COMPARISONS:
            return f"{_COMPARISONS[keyword]} {expected}"
        case _:
            return f"violates the rule {keyword}"


def _join_choices(choices: Sequence[Mapping[str, Any]]) -> str:
    names = (" and ".join(f"`{name}`" for name in required_names(choice)) for choice in choices)
    return " or ".join(names)


def _list(names: Sequence[str], shown: Collection[str]) -> str:
    """Names, without those that are keys in a row's JSON."""
    own = [name for name in names if name in shown]
    hidden = len(names) - len(own)
    return ", ".join([*own, *([f"{_count(hidden, 'key')} of a JSON value"] if hidden else [])])


def _field(error: ValidationError, shown: Collection[str], *, begins_sentence: bool = True) -> str:
    steps = (s if isinstance(s, int) or s in shown else "…" for s in error.instance_path)
    path = ".".join(map(str, steps))
    if begins_sentence:
        return f"Field `{path}`" if path else "The call"
    return f"field `{path}`" if path else "the call"


def _kind_of_text(text: str) -> str:
    if text.isdecimal():
        return "digit"
    return "letter" if text.isalpha() else "character"


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
