"""Validates a configuration: every problem is one sentence, which never contains a value."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from program_kit.json_schema import describe_schema_error, find_schema_errors
from program_kit.timestamps import parse_iso_timestamp
from tap_mssql_query.call_types import CallTypes, CallTypesUnavailable, load_call_types
from tap_mssql_query.settings.table import CONFIG_JSONSCHEMA
from tap_mssql_query.sql.template import VARIABLES, find_unknown_variables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jsonschema import ValidationError


_ORDERING_KEYS = ("userid", "anonymousid")
"""Columns, in lower case, whose value is the same for all calls that must keep their order."""


class _EventTypes:
    """The call types that are events. Call types are loaded only when they are needed."""

    def __contains__(self, call_type: str) -> bool:
        return self._call_types is None or self._call_types.is_event(call_type)

    @cached_property
    def _call_types(self) -> CallTypes | None:
        try:
            return load_call_types()
        except CallTypesUnavailable:
            return None


def find_problems(config: Mapping[str, Any]) -> list[str]:
    """All violations of the schema, and other problems of whatever conforms to it."""
    errors = find_schema_errors(CONFIG_JSONSCHEMA, config)
    problems = [
        f"{_setting_path(error, config)} {describe_schema_error(error)}." for error in errors
    ]
    paths = {tuple(error.absolute_path)[:2] for error in errors}
    if ("syncs",) in paths or "syncs" not in config:
        return problems
    syncs = [sync for index, sync in enumerate(config["syncs"]) if ("syncs", index) not in paths]
    databases = {} if any("databases" in path for path in paths) else config.get("databases", {})
    return [*problems, *_semantic_problems(syncs, {**config, "databases": databases})]


def read_query(sync: Mapping[str, Any]) -> str:
    """The query template, from `query` or `query_file`. Raises OSError or UnicodeDecodeError."""
    if "query" in sync:
        return str(sync["query"])
    return Path(sync["query_file"]).read_text(encoding="utf-8-sig")


def _setting_path(error: ValidationError, config: Mapping[str, Any]) -> str:
    """For example "Setting `syncs[2].query` of sync "users"", if the sync has a name."""
    path = list(error.absolute_path)
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    subject = f"Setting `{text.lstrip('.')}`" if path else "The configuration"
    if len(path) > 1 and path[0] == "syncs":
        sync = config["syncs"][path[1]]
        name = sync.get("name") if isinstance(sync, dict) else None
        subject += f' of sync "{name}"' if isinstance(name, str) else ""
    return subject


def _semantic_problems(syncs: list[Mapping[str, Any]], config: Mapping[str, Any]) -> Iterator[str]:
    """Problems that a schema cannot express: references, queries, dates, time zones."""
    for name, count in Counter(sync["name"] for sync in syncs).items():
        if count > 1:
            yield f'{count} syncs are called "{name}"; give each sync a unique name.'
    yield from _renaming_problems(syncs)
    events = _EventTypes()
    for sync in syncs:
        for problem in _sync_problems(sync, config, events):
            yield f'Sync "{sync["name"]}": {problem}.'


def _renaming_problems(syncs: list[Mapping[str, Any]]) -> Iterator[str]:
    names = {sync["name"] for sync in syncs}
    former_names = Counter(sync["renamed_from"] for sync in syncs if "renamed_from" in sync)
    for name, count in former_names.items():
        if name in names:
            yield (
                f'`renamed_from` is "{name}", but there still is a sync of that name. Remove one '
                "of them."
            )
        if count > 1:
            yield f'{count} syncs have the `renamed_from` "{name}"; only one can go on from there.'


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
        yield f"`database` is {name}, which is not in `databases` (known: {known})"
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
    """Partitions may be delivered in any order, so a person's events must be in one of them."""
    column = sync.get("partition_column")
    if column is None or column.casefold() in _ORDERING_KEYS or sync.get("allow_reordering"):
        return
    if sync["type"] in events:
        yield (
            f"`partition_column` {column} is not the person's id, so events of one person may be "
            "reordered. Use `userId` or `anonymousId`, or set `allow_reordering`"
        )


def _time_problems(sync: Mapping[str, Any]) -> Iterator[str]:
    try:
        ZoneInfo(sync.get("timezone", "UTC"))
    except (ValueError, OSError, KeyError):
        yield "`timezone` is not an IANA time zone, such as Europe/Amsterdam"
    if "start_at" not in sync:
        return
    try:
        parse_iso_timestamp(sync["start_at"])
    except ValueError:
        yield "`start_at` is not an ISO 8601 date-time, such as 2026-01-02T03:04:05Z"
