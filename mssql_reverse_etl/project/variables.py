"""`${NAME}` and `${NAME:-default}` in the values of a project file. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from program_kit.problems import Path

_VARIABLE = re.compile(
    r"\$(?P<escaped>\$)?\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}"
)
"""`$${NAME}` stands for the text `${NAME}`."""


def expand(
    value: Any,
    variables: Mapping[str, str],
    on_missing: Callable[[Path, str], None],
    convert: Callable[[Path, str], Any] = lambda _path, text: text,
) -> Any:
    """A value with all variables in its texts replaced; objects' keys stay as they are.

    Args:
        value: a value of JSON.
        variables: by name.
        on_missing: is told the path and name of each that is not set and has no default.
        convert: makes the value of a text in which all variables were set.
    """

    def walk(value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return {key: walk(member, (*path, key)) for key, member in value.items()}
        if isinstance(value, list):
            return [walk(member, (*path, index)) for index, member in enumerate(value)]
        return change(path, value) if isinstance(value, str) and "${" in value else value

    def change(path: Path, text: str) -> Any:
        found: list[str] = []
        missing: list[str] = []

        def replace(match: re.Match[str]) -> str:
            name, default = match["name"], match["default"]
            if match["escaped"]:
                return match[0][1:]
            (found if name in variables or default is not None else missing).append(name)
            return variables.get(name) or default or ""

        text = _VARIABLE.sub(replace, text)
        for name in missing:
            on_missing(path, name)
        return convert(path, text) if found and not missing else text

    return walk(value, ())
