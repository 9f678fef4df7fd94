"""Renders a query template into SQL. Pure; knows nothing of syncs or databases.

Variables are written in double braces, with or without inner spaces. They are rendered from
range-checked integers only, so no text of a state file can become SQL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_UNIX_SECONDS = 253_402_300_799
"""9999-12-31T23:59:59Z, the last second of datetime2."""

_VARIABLE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SyncTimes:
    """The values of one run's variables, in unix seconds by the server's clock.

    `last_sync_time` is the start of the previous successful run, 0 if there was none; `sync_time`
    is the start of this one.
    """

    last_sync_time: int
    sync_time: int

    def __post_init__(self) -> None:
        for value in (self.last_sync_time, self.sync_time):
            if type(value) is not int or not 0 <= value <= MAX_UNIX_SECONDS:
                raise ValueError(f"not unix seconds between 0 and {MAX_UNIX_SECONDS}")


def _datetime2(unix_seconds: int) -> str:
    """A datetime2 in UTC. The ISO format with T does not depend on SET LANGUAGE."""
    utc = datetime.fromtimestamp(unix_seconds, UTC).replace(tzinfo=None)
    return f"CAST('{utc.isoformat()}' AS datetime2(0))"


VARIABLES: dict[str, Callable[[SyncTimes], str]] = {
    "last_sync_time": lambda times: str(times.last_sync_time),
    "last_sync_datetime": lambda times: _datetime2(times.last_sync_time),
    "sync_time": lambda times: str(times.sync_time),
    "sync_datetime": lambda times: _datetime2(times.sync_time),
}


LOWER_BOUNDS = frozenset({"last_sync_time", "last_sync_datetime"})
"""The variables that limit a query to what changed since the last run."""


def find_variables(query: str) -> list[str]:
    """The distinct names in double braces, in order."""
    return list(dict.fromkeys(match.strip() for match in _VARIABLE.findall(query)))


def find_unknown_variables(query: str) -> list[str]:
    """The distinct names in double braces that are not variables, in order."""
    return [name for name in find_variables(query) if name not in VARIABLES]


def fingerprint_of(query: str) -> str:
    """A short hash of the template that ignores white space between words."""
    return blake2b(" ".join(query.split()).encode(), digest_size=8).hexdigest()


def render_query(query: str, times: SyncTimes) -> str:
    """The query with its variables replaced. Raises KeyError for an unknown variable."""
    return _VARIABLE.sub(lambda match: VARIABLES[match[1].strip()](times), query)
