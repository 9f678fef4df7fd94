"""Replaces the secrets of a configuration by references to environment variables, and back.

The tasks of a cluster carry references: everyone who sees the scheduler can see its graph.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SECRETS = frozenset({"password", "write_key", "message_id_salt"})
"""All settings that are marked as secret, in both tables."""

_REFERENCE = "environment variable"


def extract_secrets(
    config: Mapping[str, Any], prefix: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """The configuration with references in place of secrets, and the secrets by variable name.

    The names are those that the programs themselves read with `--config ENV`, such as
    `TAP_MSSQL_QUERY_PASSWORD`. The name of a nested secret contains the enclosing setting and the
    entry's `name`, key or index.
    """
    extracted: dict[str, Any] = copy.deepcopy(dict(config))
    secrets = {}
    for holder, key, path in list(_find_secrets(extracted, ())):
        variable = "_".join((prefix, *(re.sub(r"\W", "_", step).upper() for step in path)))
        secrets[variable] = str(holder[key])
        holder[key] = {_REFERENCE: variable}
    return extracted, secrets


def resolve_secrets(config: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """The configuration with its secrets. Raises UsageError if a variable is not set."""
    resolved: dict[str, Any] = copy.deepcopy(dict(config))
    for holder, key, _ in list(_find_secrets(resolved, ())):
        variable = holder[key][_REFERENCE]
        if variable not in environment:
            raise UsageError(
                f"The environment variable {variable} is not set on a worker. Set it where the "
                "workers are started: secrets are not sent to them."
            )
        holder[key] = environment[variable]
    return resolved


def _find_secrets(
    node: Any, path: tuple[str, ...]
) -> Iterator[tuple[dict[str, Any], str, tuple[str, ...]]]:
    """Each object that holds a secret, the secret's key, and its path."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in SECRETS and value is not None:
                yield node, key, (*path, key)
            elif key not in ("syncs", "call_types"):
                yield from _find_secrets(value, (*path, str(key)))
    elif isinstance(node, list):
        for index, entry in enumerate(node):
            name = entry.get("name") if isinstance(entry, dict) else None
            yield from _find_secrets(entry, (*path, str(name or index)))
