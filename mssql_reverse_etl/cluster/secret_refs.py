"""Replaces the secrets of a configuration by references to environment variables, and back.

The tasks of a cluster carry references: everyone who sees the scheduler can see its graph.
"""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.errors import UsageError
from program_kit.json_schema import describe_setting

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    Path = tuple[str | int, ...]

_REFERENCE = "environment variable"
_REFERENCE_TO_JSON = "environment variable with JSON"


def extract_secrets(
    config: Mapping[str, Any], prefix: str, names: Collection[str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The configuration with references in place of secrets, and the secrets by variable name.

    The names are those that the programs themselves read with `--config ENV`, such as
    `TAP_MSSQL_QUERY_PASSWORD`. The name of a nested secret contains the enclosing setting and the
    entry's `name`, key or index.

    Args:
        config: the configuration.
        prefix: of the variables' names.
        names: of the settings that are secret, at any depth.

    Raises:
        UsageError: two secrets have the same variable.
    """
    extracted: dict[str, Any] = copy.deepcopy(dict(config))
    secrets: dict[str, str] = {}
    paths: dict[str, Path] = {}
    for holder, key, path, steps in list(_find_secrets(extracted, names)):
        variable = "_".join((prefix, *(re.sub(r"\W", "_", step).upper() for step in steps)))
        if variable in paths:
            raise UsageError(
                f"{describe_setting(paths[variable])} and {describe_setting(path)} would both be "
                f"the environment variable {variable} of a worker. Rename one of them."
            )
        paths[variable] = path
        value = holder[key]
        is_text = isinstance(value, str)
        secrets[variable] = value if is_text else json.dumps(value)
        holder[key] = {_REFERENCE if is_text else _REFERENCE_TO_JSON: variable}
    return extracted, secrets


def resolve_secrets(config: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """The configuration with its secrets. Raises UsageError if a variable is not set."""
    resolved: dict[str, Any] = _resolve(dict(config), environment)
    return resolved


def _resolve(node: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(node, list):
        return [_resolve(value, environment) for value in node]
    if not isinstance(node, dict):
        return node
    if node.keys() == {_REFERENCE}:
        return _read(node[_REFERENCE], environment)
    if node.keys() == {_REFERENCE_TO_JSON}:
        return json.loads(_read(node[_REFERENCE_TO_JSON], environment))
    return {key: _resolve(value, environment) for key, value in node.items()}


def _read(variable: str, environment: Mapping[str, str]) -> str:
    if variable not in environment:
        raise UsageError(
            f"The environment variable {variable} is not set on a worker. Set it where the "
            "workers are started: secrets are not sent to them."
        )
    return environment[variable]


def _find_secrets(
    node: Any, names: Collection[str], path: Path = (), steps: tuple[str, ...] = ()
) -> Iterator[tuple[dict[str, Any], str, Path, tuple[str, ...]]]:
    """Each object that holds a secret, the secret's key, its path, and the words of its name."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in names and value is not None:
                yield node, key, (*path, key), (*steps, key)
            elif key not in ("syncs", "call_types"):
                yield from _find_secrets(value, names, (*path, key), (*steps, str(key)))
    elif isinstance(node, list):
        for index, entry in enumerate(node):
            name = entry.get("name") if isinstance(entry, dict) else None
            inner = (*steps, str(name or index))
            yield from _find_secrets(entry, names, (*path, index), inner)
