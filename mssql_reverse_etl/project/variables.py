"""`${NAME}` and `${NAME:-default}` in the values of a project file. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mssql_reverse_etl.project.document import Path

_VARIABLE = re.compile(
    r"\$(?P<escaped>\$)?\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}"
)
"""`$${NAME}` stands for the text `${NAME}`."""


def has_variable(text: str) -> bool:
    """Whether a text names a variable."""
    return any(not match["escaped"] for match in _VARIABLE.finditer(text))


def expand(
    value: Any, variables: Mapping[str, str], on_missing: Callable[[Path, str], None]
) -> Any:
    """A value with all variables in its texts replaced; objects' keys stay as they are.

    `on_missing` is told the path and name of each variable that is not set and has no default.
    """
    return _expand(value, (), variables, on_missing)


def _expand(
    value: Any,
    path: Path,
    variables: Mapping[str, str],
    on_missing: Callable[[Path, str], None],
) -> Any:
    if isinstance(value, dict):
        return {k: _expand(v, (*path, k), variables, on_missing) for k, v in value.items()}
    if isinstance(value, list):
        return [_expand(v, (*path, n), variables, on_missing) for n, v in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value

    def replace(match: re.Match[str]) -> str:
        if match["escaped"]:
            return match[0][1:]
        found = variables.get(match["name"]) or match["default"]
        if found is None:
            found = variables.get(match["name"])
        if found is None:
            on_missing(path, match["name"])
        return found or ""

    return _VARIABLE.sub(replace, value)
