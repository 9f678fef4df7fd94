"""Takes secrets out of configurations, and puts them in again from the environment.

A task of a cluster carries the names of environment variables instead of passwords and keys: what
is in the graph can be seen by everyone who sees the scheduler.
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


def take_out(config: Mapping[str, Any], prefix: str) -> tuple[dict[str, Any], dict[str, str]]:
    """A configuration with references in the place of secrets, and the secrets by variable.

    The variables are those that the programs themselves read with `--config ENV`, such as
    `TAP_MSSQL_QUERY_PASSWORD`; a secret inside of another setting has that one's name before it,
    and the `name`, key or number of its entry.
    """
    without: dict[str, Any] = copy.deepcopy(dict(config))
    secrets = {}
    for holder, key, path in list(_find(without, ())):
        variable = "_".join((prefix, *(re.sub(r"\W", "_", step).upper() for step in path)))
        secrets[variable] = str(holder[key])
        holder[key] = {_REFERENCE: variable}
    return without, secrets


def put_in(config: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """The configuration with its secrets. Raises UsageError if one is not in the environment."""
    whole: dict[str, Any] = copy.deepcopy(dict(config))
    for holder, key, _ in list(_find(whole, ())):
        variable = holder[key][_REFERENCE]
        if variable not in environment:
            raise UsageError(
                f"A worker has no environment variable {variable}. Set it where the workers are "
                "started: secrets are not sent to them."
            )
        holder[key] = environment[variable]
    return whole


def _find(
    node: Any, path: tuple[str, ...]
) -> Iterator[tuple[dict[str, Any], str, tuple[str, ...]]]:
    """Each object that holds a secret, its key, and the path to it."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in SECRETS and value is not None:
                yield node, key, (*path, key)
            elif key not in ("syncs", "call_types"):
                yield from _find(value, (*path, str(key)))
    elif isinstance(node, list):
        for number, entry in enumerate(node):
            name = entry.get("name") if isinstance(entry, dict) else None
            yield from _find(entry, (*path, str(name or number)))
