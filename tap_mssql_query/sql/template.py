"""Renders a query template into SQL. Pure; knows nothing of syncs or databases.

Variables are written in double braces, with or without inner spaces. They are rendered from
range-checked integers only, so no text of a state file can become SQL.

A comment is left as it is. In a string or a quoted name, variables that are numbers are rendered,
and `{{{{x}}}}` stands for the text `{{x}}`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from program_kit.timestamps import MAX_UNIX_SECONDS
from tap_mssql_query.sql.tokenizer import TokenKind, tokenize_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DAY = 86_400

_VARIABLE = re.compile(r"\{\{(?P<name>.*?)\}\}", re.DOTALL)
_QUOTED_VARIABLE = re.compile(
    r"\{{4}(?P<escaped>(?:(?!\}\}).)*)\}{4} | \{\{(?P<name>.*?)\}\}", re.DOTALL | re.VERBOSE
)
_QUOTES = frozenset({TokenKind.STRING, TokenKind.NAME, TokenKind.UNCLOSED})


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


class _Place(NamedTuple):
    """Double braces outside of comments; `name` is None for an escape, which gives `text`."""

    name: str | None
    text: str
    start: int
    end: int
    is_quoted: bool


def _find_places(query: str) -> Iterator[_Place]:
    """The double braces of a template that the server would see, in order.

    A comment is one token, so nothing in it begins one.
    """
    position = 0
    for token in tokenize_all(query):
        is_quoted = token.kind in _QUOTES
        if token.start < position:
            continue
        if is_quoted:
            matches = _QUOTED_VARIABLE.finditer(query, token.start, token.end)
        else:
            matches = filter(None, [_VARIABLE.match(query, token.start)])
        for match in matches:
            escaped = match.groupdict().get("escaped")
            name = match["name"].strip() if escaped is None else None
            yield _Place(name, f"{{{{{escaped}}}}}", *match.span(), is_quoted)
            position = match.end()


def find_variables(query: str) -> list[str]:
    """The distinct names in double braces, in order, that stand outside of quotes and comments."""
    places = _find_places(query)
    return list(dict.fromkeys(p.name for p in places if p.name is not None and not p.is_quoted))


def find_unknown_variables(query: str) -> list[str]:
    """The distinct names in double braces that are not variables, in order."""
    names = dict.fromkeys(place.name for place in _find_places(query))
    return [name for name in names if name is not None and name not in VARIABLES]


def find_variable_problems(query: str) -> Iterator[str]:
    """Why the variables of a template cannot be rendered, a clause each."""
    known = ", ".join(f"{{{{{name}}}}}" for name in VARIABLES)
    for variable in find_unknown_variables(query):
        yield (
            f"unknown variable {{{{{variable}}}}} in its query; known are {known}. In a string, "
            "double the braces of what is no variable: {{{{text}}}} is sent as {{text}}"
        )
    quoted = dict.fromkeys(place.name for place in _find_places(query) if place.is_quoted)
    for name in quoted:
        if name in DATETIME_VARIABLES:
            yield (
                f"{{{{{name}}}}} stands in quotes in its query, but is a date-time with quotes of "
                "its own: remove the quotes around it"
            )


def fingerprint_of(query: str) -> str:
    """A short hash of the template that ignores white space between words."""
    return blake2b(" ".join(query.split()).encode(), digest_size=8).hexdigest()


def render_query(query: str, times: SyncTimes, timezone: str = "UTC") -> str:
    """The query with its variables replaced; `timezone` is an IANA name.

    Raises KeyError for an unknown variable.
    """
    zone = ZoneInfo(timezone)
    parts = []
    position = 0
    for place in _find_places(query):
        text = place.text if place.name is None else VARIABLES[place.name](times, zone)
        parts += [query[position : place.start], text]
        position = place.end
    return "".join([*parts, query[position:]])
