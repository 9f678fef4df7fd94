"""Checks the attributes of what plugins register: one table for each public type."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jsonschema_rs import validator_for

from program_kit.settings import Setting
from target_pipelines.api.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_REMEDY = "Correct it, or block the plugin with `blocked_plugins`."


@dataclass(frozen=True, slots=True)
class Expectation:
    """What an attribute must be: in words for a message, and as a test."""

    words: str
    accepts: Callable[[Any], bool]

    def or_none(self) -> Expectation:
        """The same, or None."""
        return Expectation(f"{self.words} or None", lambda v: v is None or self.accepts(v))


def _is_mapping(value: Any) -> bool:
    return hasattr(value, "keys") and hasattr(value, "__getitem__")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_number(value: Any, at_least: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= at_least


def _is_int(value: Any, at_least: int) -> bool:
    return isinstance(value, int) and _is_number(value, at_least)


def _takes(function: Any, count: int, keywords: tuple[str, ...]) -> bool:
    """Whether a function can be called with these arguments."""
    if not callable(function):
        return False
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):  # some functions written in C have none
        return True
    try:
        signature.bind(*range(count), **dict.fromkeys(keywords))
    except TypeError:
        return False
    return True


def _function(parameters: str, result: str) -> Expectation:
    """A function of these parameters, those after `*` by name."""
    positional, _, named = parameters.partition(", *, ")
    count = len(positional.split(", "))
    keywords = tuple(named.split(", ")) if named else ()
    return Expectation(
        f"a function of ({parameters}) that returns {result}",
        lambda value: _takes(value, count, keywords),
    )


def _is_schema(value: Any) -> bool:
    if not _is_mapping(value):
        return False
    try:
        validator_for(dict(value))
    except ValueError:
        return False
    return True


def _are_settings(value: Any) -> bool:
    """Whether these are settings with distinct names and valid schemas, which defaults obey."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(s, Setting) for s in value):
        return False
    names = [setting.name for setting in value]
    return len(set(names)) == len(names) and all(
        _is_name(setting.name)
        and isinstance(setting.help, str)
        and _is_schema(setting.schema)
        and (
            setting.default is None or validator_for(dict(setting.schema)).is_valid(setting.default)
        )
        for setting in value
    )


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[\w.-]+", value) is not None


TEXT = Expectation("a text that is not empty", _is_text)
NAME = Expectation("a text of letters, digits, underscores, dots and hyphens", _is_name)
ANY_TEXT = Expectation("a text", lambda value: isinstance(value, str))
BOOLEAN = Expectation("True or False", lambda value: isinstance(value, bool))
SIZE = Expectation("an integer, not negative", lambda value: _is_int(value, 0))
COUNT = Expectation("an integer above 0", lambda value: _is_int(value, 1))
RATE = Expectation("a number above 0", lambda value: _is_number(value, 0) and value > 0)
SCHEMAS = Expectation(
    "a mapping of names to JSON Schemas",
    lambda value: (
        _is_mapping(value)
        and all(_is_text(name) and _is_schema(value[name]) for name in value.keys())  # noqa: SIM118
    ),
)
SCHEMA = Expectation("a JSON Schema", _is_schema)
SETTINGS = Expectation(
    "a list or tuple of Setting, each with a name of its own, a JSON Schema, a text of help and a "
    "default that is valid",
    _are_settings,
)

CALL_TYPE: Mapping[str, Expectation] = {
    "name": NAME,
    "summary": ANY_TEXT,
    "schema": Expectation("a JSON Schema (a mapping)", _is_mapping),
    "extra_columns": Expectation(
        '"traits", "properties" or None', lambda value: value in ("traits", "properties", None)
    ),
    "sends_as": TEXT.or_none(),
    "is_event": BOOLEAN,
    "build": _function("call", "a call or None").or_none(),
}
DESTINATION_TYPE: Mapping[str, Expectation] = {
    "name": NAME,
    "open": _function("settings", "a Destination"),
    "find_problems": _function("settings", "sentences"),
    "settings": SETTINGS,
    "profile": Expectation("an HttpProfile or None", lambda _: True),
}
HTTP_PROFILE: Mapping[str, Expectation] = {
    "name": NAME,
    "base_urls": Expectation(
        "a mapping of regions to URLs",
        lambda value: (
            _is_mapping(value)
            and all(
                _is_text(region) and str(value[region]).startswith(("http://", "https://"))
                for region in value.keys()  # noqa: SIM118
            )
        ),
    ),
    "call_max_bytes": COUNT,
    "batch_max_bytes": COUNT,
    "batch_max_calls": COUNT.or_none(),
    "requests_per_second": RATE.or_none(),
    "max_traits": COUNT.or_none(),
    "max_trait_name_bytes": COUNT.or_none(),
    "path": _function("calls", "the path as text"),
    "envelope": Expectation(
        "a pair of bytes, before and after the calls",
        lambda value: (
            isinstance(value, tuple)
            and len(value) == 2
            and all(isinstance(part, bytes) for part in value)
        ),
    ),
    "authenticate": _function("write_key", "a function that adds headers to a request"),
    "headers": _function("settings", "a mapping of headers"),
    "reshape": _function("call", "a JSON value").or_none(),
    "classify": _function("status, headers, body, *, now", "an Outcome"),
    "events": SCHEMAS,
    "call_schema": SCHEMA,
    "settings": SETTINGS,
    "find_further_problems": _function("settings", "sentences"),
}
LIMITS: Mapping[str, Expectation] = {
    "call_max_bytes": COUNT,
    "batch_max_bytes": COUNT,
    "batch_max_calls": COUNT.or_none(),
    "envelope_bytes": SIZE,
    "separator_bytes": SIZE,
    "requests_per_second": RATE.or_none(),
    "max_traits": COUNT.or_none(),
    "max_trait_name_bytes": COUNT.or_none(),
}
OPEN_DESTINATION: Mapping[str, Expectation] = {
    "max_lanes": COUNT.or_none(),
    "event_schemas": SCHEMAS,
    "open_sender": Expectation("a function", callable),
    "close": Expectation("a function", callable),
}


def check_attributes(value: Any, expected: Mapping[str, Expectation], plugin: str) -> None:
    """Raise PluginError for the first attribute that is not what is expected."""
    for attribute, expectation in expected.items():
        came = getattr(value, attribute, None)
        if not _accepts(expectation, came):
            raise PluginError(
                f'Plugin "{plugin}": attribute `{attribute}` of {_describe_owner(value)} must be '
                f"{expectation.words}, not {_describe(came)}. {_REMEDY}"
            )


def _accepts(expectation: Expectation, value: Any) -> bool:
    try:
        return expectation.accepts(value)
    except Exception:  # noqa: BLE001 - the value may be of any class
        return False


def _describe_owner(value: Any) -> str:
    name = getattr(value, "name", None)
    kind = type(value).__name__
    return f'{kind} "{name}"' if _is_text(name) else kind


def _describe(value: Any) -> str:
    """The type of a value; what a plugin's author can tell apart by it."""
    if value is None:
        return "None"
    if value == "":
        return "an empty text"
    if isinstance(value, tuple):
        return f"a tuple of {', '.join(type(part).__name__ for part in value) or 'nothing'}"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"the {type(value).__name__} {value!r}"
    if callable(value) and not isinstance(value, type):
        try:
            return f"a function of {inspect.signature(value)}"
        except (ValueError, TypeError):
            return "a function"
    return f"a value of type {type(value).__name__}"
