"""Validates a configuration: every problem is one sentence, which never contains a value."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from program_kit.json_schema import (
    describe_setting,
    describe_violation,
    find_schema_errors,
)
from program_kit.problems import Path, Problem, first_named
from program_kit.settings import describe_placeholder, is_placeholder
from program_kit.text_files import NotUTF8, describe_read_error, read_text
from program_kit.timestamps import MAX_UNIX_SECONDS, parse_iso_timestamp
from tap_mssql_query.call_types import CallTypes, CallTypesUnavailable, load_call_types
from tap_mssql_query.settings.stream_maps import find_unknown_syncs
from tap_mssql_query.settings.table import CLOSED_JSONSCHEMA, CONNECTION_SETTINGS
from tap_mssql_query.sql.template import (
    LOWER_BOUNDS,
    find_variable_problems,
    find_variables,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jsonschema import ValidationError


class _LazyCallTypes:
    """The installed call types, loaded when the first partitioned sync asks for them."""

    @cached_property
    def loaded(self) -> CallTypes:
        """Raises CallTypesUnavailable."""
        return load_call_types()


def find_problems(config: Mapping[str, Any]) -> list[Problem]:
    """All violations of the schema, and other problems of whatever conforms to it.

    The configuration is one without comments.
    """
    errors = find_schema_errors(CLOSED_JSONSCHEMA, config)
    problems = [describe_violation(error, _setting_and_sync(error, config)) for error in errors]
    problems += _login_problems(config)
    problems += _stream_map_problems(config)
    paths = {tuple(error.absolute_path)[:2] for error in errors}
    if ("syncs",) in paths or "syncs" not in config:
        return problems
    syncs = {n: sync for n, sync in enumerate(config["syncs"]) if ("syncs", n) not in paths}
    databases = {} if any("databases" in path for path in paths) else config.get("databases", {})
    return [*problems, *_semantic_problems(syncs, {**config, "databases": databases})]


def read_query(sync: Mapping[str, Any]) -> str:
    """The query template, from `query` or `query_file`. Raises OSError or NotUTF8."""
    if "query" in sync:
        return str(sync["query"])
    return read_text(sync["query_file"])


def _stream_map_problems(config: Mapping[str, Any]) -> Iterator[Problem]:
    if config.get("flattening_enabled") and config.get("flattening_max_depth") is None:
        yield Problem(
            "`flattening_enabled` needs a `flattening_max_depth`.", ("flattening_enabled",)
        )
    syncs = config.get("syncs")
    if isinstance(syncs, list):
        names = [sync.get("name") for sync in syncs if isinstance(sync, dict)]
        maps = config.get("stream_maps")
        for problem in find_unknown_syncs(maps, [n for n in names if isinstance(n, str)]):
            yield Problem(problem, ("stream_maps",))


def _login_problems(config: Mapping[str, Any]) -> Iterator[Problem]:
    """Settings of a connection that would make a login fail: each attempt may lock the account."""
    databases = config.get("databases")
    entries = databases if isinstance(databases, dict) else {}
    named: list[tuple[Path, Any]] = [(("databases", name), e) for name, e in entries.items()]
    for path, entry in [((), config), *named]:
        if not isinstance(entry, dict):
            continue
        for setting in CONNECTION_SETTINGS:
            if is_placeholder(entry.get(setting.name)):
                place = (*path, setting.name)
                yield Problem(f"{describe_placeholder(describe_setting(place))}.", place)
        if isinstance(host := entry.get("host"), str) and (problem := _host_problem(host)):
            place = (*path, "host")
            yield Problem(f"{describe_setting(place)} {problem}.", place)
        if entry.get("username") and _needs_password(entry):
            place = (*path, "username")
            yield Problem(
                f"{describe_setting(place)} needs a `password`, or `authentication` for a login "
                "without one.",
                place,
            )


def _host_problem(host: str) -> str:
    """What a host says beside the name of a machine; the driver would ignore it, or fail."""
    name, _, instance = host.partition("\\")
    if name.casefold() == "(localdb)":
        return "is LocalDB, which has no TCP port; name a server"
    if instance:
        return (
            f'names the instance "{instance}", but the connection goes to `port`: leave the '
            "instance out, and set `port` to its TCP port, which SQL Server Configuration Manager "
            "shows"
        )
    if "://" in host:
        return "is a URL; leave its scheme and path out"
    if host.startswith("["):
        return "has brackets; write an IPv6 address without them"
    if found := re.fullmatch(r"(?:(?:tcp|np|lpc|admin):)?([^:,]*)(?:[:,](\d+))?", host):
        if found[2]:
            return f"contains a port; set `port` to {found[2]}"
        if found[1] != host:
            return "begins with a protocol; leave it out"
    return ""


def _needs_password(entry: Mapping[str, Any]) -> bool:
    options = entry.get("connection_options")
    is_trusted = isinstance(options, dict) and "Trusted_Connection" in options
    return not (is_trusted or entry.get("authentication") or "password" in entry)


def _setting_and_sync(error: ValidationError, config: Mapping[str, Any]) -> str:
    """For example "Setting `syncs[2].query` of sync "users"", if the sync has a name."""
    path = list(error.absolute_path)
    subject = describe_setting(path)
    if len(path) > 1 and path[0] == "syncs":
        sync = config["syncs"][path[1]]
        name = sync.get("name") if isinstance(sync, dict) else None
        subject += f' of sync "{name}"' if isinstance(name, str) else ""
    return subject


def _semantic_problems(
    syncs: Mapping[int, Mapping[str, Any]], config: Mapping[str, Any]
) -> Iterator[Problem]:
    """Problems that a schema cannot express: references, queries, dates, time zones.

    `syncs` are those that conform to it, by their index.
    """
    by_name = _indexes_by(syncs, "name")
    for name, indexes in by_name.items():
        if len(indexes) > 1:
            yield Problem(
                f'{len(indexes)} syncs are called "{name}"; give each sync a unique name.',
                ("syncs", indexes[-1], "name"),
            )
    for name, indexes in _indexes_by(syncs, "renamed_from").items():
        place = ("syncs", indexes[-1], "renamed_from")
        if name in by_name:
            yield Problem(
                f'`renamed_from` is "{name}", but there still is a sync of that name. Remove one '
                "of them.",
                place,
            )
        if len(indexes) > 1:
            yield Problem(
                f'{len(indexes)} syncs have the `renamed_from` "{name}"; only one can go on from '
                "there.",
                place,
            )
    call_types = _LazyCallTypes()
    for index, sync in syncs.items():
        for problem in _sync_problems(sync, config, call_types):
            setting = first_named(problem, sync)
            yield Problem(f'Sync "{sync["name"]}": {problem}.', ("syncs", index, *setting))


def _indexes_by(syncs: Mapping[int, Mapping[str, Any]], setting: str) -> dict[str, list[int]]:
    """The indexes of the syncs with each value of a setting."""
    found: dict[str, list[int]] = {}
    for index, sync in syncs.items():
        if setting in sync:
            found.setdefault(sync[setting], []).append(index)
    return found


def _sync_problems(
    sync: Mapping[str, Any], config: Mapping[str, Any], call_types: _LazyCallTypes
) -> Iterator[str]:
    yield from _database_problems(sync.get("database"), config)
    yield from _query_problems(sync)
    yield from _time_problems(sync)
    yield from _partition_problems(sync)
    yield from _order_problems(sync, call_types)


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
    except (OSError, NotUTF8) as error:
        yield f"`query_file` cannot be read ({describe_read_error(error)})"
        return
    yield from find_variable_problems(query)


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


def _order_problems(sync: Mapping[str, Any], call_types: _LazyCallTypes) -> Iterator[str]:
    """Partitions may be delivered in any order; events with one ordering key must share one."""
    column = sync.get("partition_column")
    if column is None or sync.get("allow_reordering"):
        return
    try:
        keeps_order = call_types.loaded.keeps_order(sync["type"], column)
    except CallTypesUnavailable as error:
        yield (
            f"whether `partition_column` {column} keeps events in order is not known: "
            f"{str(error).rstrip('.')}. Set `allow_reordering` if their order does not matter"
        )
        return
    if not keeps_order:
        yield (
            f"`partition_column` {column} is not the person's id, so events of one person may be "
            "reordered. Use the id, such as `userId`, or set `allow_reordering`"
        )


def _time_problems(sync: Mapping[str, Any]) -> Iterator[str]:
    try:
        ZoneInfo(sync.get("timezone", "UTC"))
    except (ValueError, OSError, KeyError):
        yield "`timezone` is not an IANA time zone, such as Europe/Amsterdam"
    if "start_at" in sync and not _is_timestamp(sync["start_at"]):
        yield "`start_at` is not an ISO 8601 date-time, such as 2026-01-02T03:04:05Z"
    if "start_from" in sync and not _has_lower_bound(sync):
        yield (
            "`start_from` has no effect, because its query has neither {{last_sync_time}} nor "
            "{{last_sync_datetime}}: compare the time of a row with one of them"
        )
    start_from = sync.get("start_from", "now")
    if start_from != "now" and not _is_timestamp(start_from):
        yield "`start_from` is neither `now` nor an ISO 8601 date-time from 1970 on"


def _has_lower_bound(sync: Mapping[str, Any]) -> bool:
    """Whether the query limits its rows by the last run; True if it cannot be read."""
    try:
        variables = find_variables(read_query(sync))
    except (OSError, NotUTF8, KeyError):
        return True
    return bool(LOWER_BOUNDS & set(variables))


def _is_timestamp(text: str) -> bool:
    try:
        return 0 <= parse_iso_timestamp(text) <= MAX_UNIX_SECONDS
    except (ValueError, OverflowError):
        return False
