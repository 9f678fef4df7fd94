"""Renders a query template into SQL. Pure; knows nothing of syncs or databases.

Variables are written in double braces, with or without inner spaces. They are rendered from
range-checked integers only, so no text of a state file can become SQL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_UNIX_SECONDS = 253_402_300_799
"""9999-12-31T23:59:59Z, the last second of datetime2."""

_DAY = 86_400

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


def _in_zone(unix_seconds: int, zone: ZoneInfo) -> datetime:
    """An instant in a zone; in UTC if its local time is after the last second of datetime2."""
    utc = datetime.fromtimestamp(unix_seconds, UTC)
    try:
        return utc.astimezone(zone)
    except OverflowError:
        return utc


def _local_time(unix_seconds: int, zone: ZoneInfo) -> datetime:
    return _in_zone(unix_seconds, zone).replace(tzinfo=None, fold=0)


def _offset(unix_seconds: int, zone: ZoneInfo) -> timedelta:
    return _in_zone(unix_seconds, zone).utcoffset() or timedelta(0)


def _earliest_local_time(unix_seconds: int, zone: ZoneInfo) -> datetime:
    """The earliest local time that this instant or a later one has.

    Before the clocks are put back, that is the beginning of the hour that comes twice: rows of its
    second passing have local times before this instant's.
    """
    low, high = unix_seconds, min(unix_seconds + _DAY, MAX_UNIX_SECONDS)
    local, offset = _local_time(low, zone), _offset(low, zone)
    if _offset(high, zone) >= offset:
        return local
    while high - low > 1:
        middle = (low + high) // 2
        is_put_back = _offset(middle, zone) < offset
        low, high = (low, middle) if is_put_back else (middle, high)
    return min(local, _local_time(high, zone))


def local_time_of(unix_seconds: int, timezone: str) -> str:
    """The text of the earliest local time of this instant and later ones, as a query has it."""
    return _earliest_local_time(unix_seconds, ZoneInfo(timezone)).isoformat()


def _datetime2(local: datetime) -> str:
    """The ISO format with T does not depend on SET LANGUAGE."""
    return f"CAST('{local.isoformat()}' AS datetime2(0))"


VARIABLES: dict[str, Callable[[SyncTimes, ZoneInfo], str]] = {
    "last_sync_time": lambda times, _: str(times.last_sync_time),
    "last_sync_datetime": lambda times, zone: _datetime2(
        _earliest_local_time(times.last_sync_time, zone)
    ),
    "sync_time": lambda times, _: str(times.sync_time),
    "sync_datetime": lambda times, zone: _datetime2(_local_time(times.sync_time, zone)),
}
"""By name, what renders it, given the zone of the query's date-times without an offset."""
DATETIME_VARIABLES = {name for name in VARIABLES if name.endswith("datetime")}


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


def render_query(query: str, times: SyncTimes, timezone: str = "UTC") -> str:
    """The query with its variables replaced; `timezone` is an IANA name.

    Raises KeyError for an unknown variable.
    """
    zone = ZoneInfo(timezone)
    return _VARIABLE.sub(lambda match: VARIABLES[match[1].strip()](times, zone), query)
