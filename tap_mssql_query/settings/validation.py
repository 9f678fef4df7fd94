"""Finds what is wrong with a configuration: every problem, one sentence each, never a value."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from program_kit.settings import complaint_of, find_errors
from tap_mssql_query.call_types import CallTypes, CallTypesUnavailable, load_call_types
from tap_mssql_query.settings.table import CONFIG_JSONSCHEMA
from tap_mssql_query.sql.template import VARIABLES, find_unknown_variables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jsonschema import ValidationError


_ORDERING_KEYS = ("userid", "anonymousid")
"""Columns, in lower case, whose value is the same for all calls that must keep their order."""


class _EventTypes:
    """Which call types are events. Loads call types only when asked: they are another package's."""

    def __contains__(self, call_type: str) -> bool:
        return self._call_types is None or self._call_types.is_event(call_type)

    @cached_property
    def _call_types(self) -> CallTypes | None:
        try:
            return load_call_types()
        except CallTypesUnavailable:
            return None


def find_problems(config: Mapping[str, Any]) -> list[str]:
    """All problems of shape, and the problems of meaning of whatever has the right shape."""
    errors = find_errors(CONFIG_JSONSCHEMA, config)
    shape = [f"{_place_of(error, config)} {complaint_of(error)}." for error in errors]
    places = {tuple(error.absolute_path)[:2] for error in errors}
    if ("syncs",) in places or "syncs" not in config:
        return shape
    syncs = [sync for index, sync in enumerate(config["syncs"]) if ("syncs", index) not in places]
    databases = {} if any("databases" in place for place in places) else config.get("databases", {})
    return [*shape, *_meaning_problems(syncs, {**config, "databases": databases})]


def read_query(sync: Mapping[str, Any]) -> str:
    """The query's template, from the settings or from `query_file`. Raises OSError."""
    if "query" in sync:
        return str(sync["query"])
    return Path(sync["query_file"]).read_text(encoding="utf-8-sig")


def parse_start(text: str | None) -> int | None:
    """Unix seconds of `start_at`; a moment without an offset is in UTC. Raises ValueError."""
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _place_of(error: ValidationError, config: Mapping[str, Any]) -> str:
    """`syncs[2].query`, with the sync's name where it has one."""
    path = list(error.absolute_path)
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    place = f"Setting `{text.lstrip('.')}`" if path else "The configuration"
    if len(path) > 1 and path[0] == "syncs":
        sync = config["syncs"][path[1]]
        name = sync.get("name") if isinstance(sync, dict) else None
        place += f' of sync "{name}"' if isinstance(name, str) else ""
    return place


def _meaning_problems(syncs: list[Mapping[str, Any]], config: Mapping[str, Any]) -> Iterator[str]:
    """What a schema cannot say: names that refer to each other, queries, dates, zones."""
    for name, count in Counter(sync["name"] for sync in syncs).items():
        if count > 1:
            yield f'{count} syncs are called "{name}"; every sync needs a name of its own.'
    events = _EventTypes()
    for sync in syncs:
        for problem in _sync_problems(sync, config, events):
            yield f'Sync "{sync["name"]}": {problem}.'


def _sync_problems(
    sync: Mapping[str, Any], config: Mapping[str, Any], events: _EventTypes
) -> Iterator[str]:
    yield from _database_problems(sync.get("database"), config)
    yield from _query_problems(sync)
    yield from _time_problems(sync)
    yield from _partition_problems(sync)
    yield from _order_problems(sync, events)


def _database_problems(name: str | None, config: Mapping[str, Any]) -> Iterator[str]:
    databases = config.get("databases", {})
    if name is not None and name not in databases:
        known = ", ".join(databases) or "none"
        yield f"`database` names {name}, which `databases` does not hold (known: {known})"
    elif not (config if name is None else databases[name]).get("host"):
        yield "its database has no `host`"


def _query_problems(sync: Mapping[str, Any]) -> Iterator[str]:
    if ("query" in sync) == ("query_file" in sync):
        yield "set either `query` or `query_file`"
        return
    try:
        query = read_query(sync)
    except (OSError, UnicodeDecodeError) as error:
        yield f"`query_file` cannot be read ({type(error).__name__})"
        return
    for variable in find_unknown_variables(query):
        known = ", ".join(f"{{{{{name}}}}}" for name in VARIABLES)
        yield f"unknown variable {{{{{variable}}}}} in its query; known are {known}"


def _partition_problems(sync: Mapping[str, Any]) -> Iterator[str]:
    column = sync.get("partition_column")
    sizes = [name for name in ("partitions", "partition_rows") if name in sync]
    if column is None:
        yield from (f"`{name}` needs a `partition_column`" for name in sizes)
        return
    if len(sizes) != 1:
        yield "`partition_column` needs either `partitions` or `partition_rows`"
    if "order_column" in sync:
        yield "set either `partition_column` or `order_column`"


def _order_problems(sync: Mapping[str, Any], events: _EventTypes) -> Iterator[str]:
    """Partitions are read side by side, so a person's events must all be in one."""
    column = sync.get("partition_column")
    if column is None or column.casefold() in _ORDERING_KEYS or sync.get("allow_reordering"):
        return
    if sync["type"] in events:
        yield (
            f"`partition_column` {column} is not the person's id, so that events of one person may "
            "change their order. Take `userId` or `anonymousId`, or set `allow_reordering`"
        )


def _time_problems(sync: Mapping[str, Any]) -> Iterator[str]:
    try:
        ZoneInfo(sync.get("timezone", "UTC"))
    except (ValueError, OSError, KeyError):
        yield "`timezone` is no IANA time zone, such as Europe/Amsterdam"
    try:
        parse_start(sync.get("start_at"))
    except ValueError:
        yield "`start_at` is no ISO 8601 date-time, such as 2026-01-02T03:04:05Z"
