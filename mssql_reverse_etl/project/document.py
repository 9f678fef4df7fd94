"""A YAML file as plain values, with the line and column of each. Pure.

Values follow YAML 1.2: `no` is a text, as `encrypt: no` needs it. The parser is libyaml's where it
is there, since a project of a hundred syncs is read at every run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from program_kit.problems import Path

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_DEPTH = 50
_MAX_VALUES = 200_000
_CORE_SCHEMA: Sequence[tuple[re.Pattern[str], Callable[[str], Any]]] = (
    (re.compile(r"null|Null|NULL|~|"), lambda _: None),
    (re.compile(r"true|True|TRUE"), lambda _: True),
    (re.compile(r"false|False|FALSE"), lambda _: False),
    (re.compile(r"[-+]?[0-9]{1,4300}"), int),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
)
"""Source: YAML 1.2.2, 10.3.2; without octal and hexadecimal numbers, infinity and NaN."""


class Place(NamedTuple):
    """A line and a column, from 1."""

    line: int
    column: int


class InvalidDocument(ValueError):  # noqa: N818 - reads as what is wrong
    """A text is no YAML, or has what a project file cannot have; without the text itself."""

    def __init__(self, message: str, place: Place) -> None:
        super().__init__(message)
        self.place = place


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file.

    Attributes:
        data: its value.
        places: where each value begins; of a member of an object, its key.
    """

    data: Any
    places: dict[Path, Place] = field(default_factory=dict)

    def place_of(self, path: Path) -> Place:
        """Where a value is, or the nearest one around it."""
        while path not in self.places:
            path = path[:-1]
        return self.places[path]


def parse_document(text: str) -> Document:
    """Parse one YAML document. Raises InvalidDocument."""
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        is_open = error.context_mark and "end of stream" in (error.problem or "")
        mark = error.context_mark if is_open else error.problem_mark
        raise InvalidDocument(_describe(error), _place_of(mark)) from None
    except yaml.YAMLError as error:  # characters that YAML does not allow
        raise InvalidDocument("is no YAML: a character is not allowed", Place(1, 1)) from error
    if node is None:
        return Document(None, {(): Place(1, 1)})
    document = Document(None, {(): _place_of(node.start_mark)})
    return Document(_value_of(node, (), document.places), document.places)


def _value_of(node: yaml.Node, path: Path, places: dict[Path, Place]) -> Any:
    if len(path) > _MAX_DEPTH:
        raise InvalidDocument("is nested too deeply", _place_of(node.start_mark))
    if len(places) > _MAX_VALUES:  # aliases of aliases, perhaps
        raise InvalidDocument("has too many values", _place_of(node.start_mark))
    if isinstance(node, yaml.ScalarNode):
        return _scalar_of(node)
    values: Any = {} if isinstance(node, yaml.MappingNode) else []
    for index, item in enumerate(node.value):
        key_node, value_node = item if isinstance(node, yaml.MappingNode) else (item, item)
        key: str | int = index
        if isinstance(node, yaml.MappingNode):
            key = _key_of(key_node)
            if key in values:
                raise InvalidDocument(f"has `{key}` twice", _place_of(key_node.start_mark))
            values[key] = None
        else:
            values.append(None)
        places[(*path, key)] = _place_of(key_node.start_mark)
        values[key] = _value_of(value_node, (*path, key), places)
    return values


def _key_of(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise InvalidDocument("has a key that is no text", _place_of(node.start_mark))
    return str(node.value)


def _scalar_of(node: yaml.ScalarNode) -> Any:
    text = str(node.value)
    if not node.style:  # plain: neither quoted nor a block
        for pattern, convert in _CORE_SCHEMA:
            if pattern.fullmatch(text):
                return convert(text)
    return text


def _describe(error: yaml.MarkedYAMLError) -> str:
    """What is wrong, in the parser's words, which quote single characters and names at most."""
    parts = [part for part in (error.context, error.problem) if part]
    return f"is no YAML: {', '.join(parts)}"


def _place_of(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1) if mark is not None else Place(1, 1)
