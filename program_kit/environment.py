"""Reads settings from environment variables, by the types of their JSON Schema."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from program_kit.text_files import UNREADABLE, describe_read_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TRUE, _FALSE = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})


@dataclass(frozen=True, slots=True)
class Environment:
    """The environment variables of a program's settings.

    Attributes:
        prefix: such as `TAP_MSSQL_QUERY_`; the setting's name follows in capitals.
        properties: the JSON Schema of each setting.
    """

    prefix: str
    properties: Mapping[str, Mapping[str, Any]]

    def read(self, error: type[Exception]) -> dict[str, Any]:
        """The settings whose variables are set.

        Raises `error` with a sentence for each value that is not of its setting's type. The value
        is not shown: it may be a password.
        """
        config, problems = {}, []
        for name, schema in self.properties.items():
            variable = f"{self.prefix}{name.upper().replace('-', '_')}"
            text = os.environ.get(variable)
            if text is None:
                continue
            try:
                config[name] = read_as(schema, text)
            except UNREADABLE as reason:
                detail = (
                    str(reason) if isinstance(reason, NotOfType) else describe_read_error(reason)
                )
                problems.append(f"The environment variable {variable} cannot be read: {detail}.")
        if problems:
            raise error(*problems)
        return config

    def with_numbers(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """A configuration in which texts of numbers are numbers, where a setting is a number.

        Meltano has no kind of setting for numbers with a fraction, and writes them as texts.
        """
        return {
            name: _number_of(value) if self._is_number(name) and isinstance(value, str) else value
            for name, value in config.items()
        }

    def _is_number(self, name: str) -> bool:
        return _type_of(self.properties.get(name, {})) == "number"


class NotOfType(ValueError):  # noqa: N818 - reads as what is wrong
    """A value is not of its type; the message is half a sentence without the value."""


def read_as(schema: Mapping[str, Any], text: str) -> Any:
    """The value that a text stands for, by the type of its setting. Raises one of `UNREADABLE`."""
    return _READERS.get(_type_of(schema), str)(text)


def _type_of(schema: Mapping[str, Any]) -> str:
    found = schema.get("type", "string")
    types = [found] if isinstance(found, str) else found
    return next((name for name in types if name != "null"), "string")


def _integer(text: str) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.removeprefix("+").removeprefix("-").isdigit()):
        raise NotOfType("it must be a whole number")
    return int(digits)


def _number(text: str) -> float:
    number = _number_of(text)
    if isinstance(number, str):
        raise NotOfType("it must be a number")
    return number


def _number_of(text: str) -> float | str:
    """The number in a text; the text itself if it is none."""
    try:
        number = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        return text
    if not math.isfinite(number):
        return text
    return int(number) if number.is_integer() else number


def _boolean(text: str) -> bool:
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        raise NotOfType("it must be true or false")
    return word in _TRUE


def _json_of(kind: type, name: str) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        value = json.loads(text)
        if not isinstance(value, kind):
            raise NotOfType(f"it must be {name}")
        return value

    return read


_READERS: Mapping[str, Callable[[str], Any]] = {
    "string": str,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "array": _json_of(list, "a JSON array"),
    "object": _json_of(dict, "a JSON object"),
}
