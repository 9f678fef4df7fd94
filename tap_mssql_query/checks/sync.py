"""Checks a sync without running its query: the text, and the columns that the server describes."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from program_kit.findings import Finding, Level
from tap_mssql_query.checks.column_types import check_column_types
from tap_mssql_query.encoding.columns import find_name_problems
from tap_mssql_query.errors import ConfigurationError, QueryFailed
from tap_mssql_query.mssql.code_pages import check_code_pages
from tap_mssql_query.mssql.describe import describe_result, is_undescribable
from tap_mssql_query.sql.select_only import check_query
from tap_mssql_query.sql.template import (
    DATETIME_VARIABLES,
    LOWER_BOUNDS,
    SyncTimes,
    find_variables,
    render_query,
)
from tap_mssql_query.sync.comparisons import PLACEHOLDERS
from tap_mssql_query.sync.query import query_of, render_sync
from tap_mssql_query.sync.read_strategy import range_column_of, split_sync_query

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_mssql_query.mssql.describe import DescribedColumn
    from tap_mssql_query.mssql.session import Session
    from tap_mssql_query.settings.model import SyncSettings

_KEY_TYPES = re.compile(
    r"(tiny|small|big)?int\b|(decimal|numeric)\(\d+,0\)|date(time2?)?\b|smalldatetime|uniqueidentifier"
)
"""The types that `sql/key_range.py` supports."""
_PERSON_COLUMNS = {"userid", "anonymousid"}
_PERMISSION_ERRORS = frozenset({229, 230, 297, 300, 916})
"""SQL Server's errors for a missing permission."""


def check_query_text(sync: SyncSettings) -> list[Finding]:
    """Findings about the text of a sync's query."""
    findings = check_query(render_sync(sync, PLACEHOLDERS))
    if all(finding.level is not Level.ERROR for finding in findings):
        findings += check_ranges(sync)
    findings += _check_zone(sync)
    if DATETIME_VARIABLES & set(find_variables(sync.query)):
        findings.append(_describe_zone(sync))
    if not LOWER_BOUNDS & set(find_variables(sync.query)):
        findings.append(
            Finding(
                Level.WARNING,
                "The query has no {{last_sync_time}} or {{last_sync_datetime}}: every run sends "
                "every row.",
            )
        )
    return findings


def _check_zone(sync: SyncSettings) -> Iterator[Finding]:
    """An error if the zone is one that Python knows, but not Arrow, which converts the columns."""
    import pyarrow as pa  # noqa: PLC0415 - slow

    from tap_mssql_query.encoding.row_encoder import LossyConversions, to_utc  # noqa: PLC0415 - too

    try:
        to_utc(pa.array([0], pa.timestamp("us")), sync.timezone, LossyConversions())
    except ConfigurationError as error:
        yield Finding(Level.ERROR, str(error))


def _describe_zone(sync: SyncSettings) -> Finding:
    now = int(time.time())
    example = render_query("{{last_sync_datetime}}", SyncTimes(now, now), sync.timezone)
    return Finding(
        Level.OK,
        f"Date-times are compared in `timezone` {sync.timezone}: for the present time, "
        f"{{{{last_sync_datetime}}}} is {example}.",
    )


def check_ranges(sync: SyncSettings) -> Iterator[Finding]:
    """An error if the sync is read by ranges, and its query does not allow that."""
    if range_column_of(sync) is not None:
        try:
            split_sync_query(sync, PLACEHOLDERS)
        except QueryFailed as error:
            yield Finding(Level.ERROR, str(error))


def describe_sync(session: Session, sync: SyncSettings) -> Sequence[DescribedColumn]:
    """The columns of a sync's result, as the server describes them. Raises QueryFailed."""
    return describe_result(session, query_of(sync, PLACEHOLDERS))


def finding_for_error(error: QueryFailed) -> Finding:
    """The finding for a query that the server did not describe."""
    if is_undescribable(error):
        return Finding(Level.WARNING, f"The columns are not known before a run: {error}")
    is_server_error = error.number in _PERMISSION_ERRORS or error.sqlstate.startswith(("08", "HYT"))
    return Finding(Level.SERVER_ERROR if is_server_error else Level.ERROR, str(error))


def check_columns(columns: Sequence[DescribedColumn], sync: SyncSettings) -> Iterator[Finding]:
    """Findings about the columns themselves."""
    names = [column.name for column in columns]
    described = ", ".join(f"{column.name} {column.sql_type}" for column in columns)
    yield Finding(Level.OK, f"Columns: {described}.")
    for problem in find_name_problems(names):
        yield Finding(Level.ERROR, problem)
    yield from check_column_types(columns)
    yield from check_code_pages(columns)
    for key in sync.key_columns:
        if key not in names:
            yield Finding(Level.ERROR, f"Key column {key} is not in the result.")
    yield from _check_key_column(columns, sync)
    for name in sync.json_columns:
        if name not in names:
            yield Finding(Level.WARNING, f"JSON column {name} is not in the result.")


def check_timestamp(columns: Sequence[str], sync: SyncSettings) -> Iterator[Finding]:
    """A warning about a sync of events whose result does not say when they happened."""
    if any(column.casefold() == "timestamp" for column in columns):
        return
    advice = "" if sync.start_from else " Or set `start_from` to `now`, so that no history is sent."
    yield Finding(
        Level.WARNING,
        "The result has no column `timestamp`: every event is dated when it is sent, in the first "
        f"run the whole history. Select the time of the event AS timestamp.{advice}",
    )


def check_event_ids(names: Sequence[str], sync: SyncSettings) -> Iterator[Finding]:
    """Warnings about events whose repeats a destination cannot recognise, or takes for repeats."""
    if not sync.key_columns and "timestamp" not in map(str.casefold, names):
        when = "`--resync` or `--since` reads"
        if sync.lookback_seconds:
            when = f"`lookback_seconds`, {when}"
        yield Finding(
            Level.WARNING,
            f"Rows that {when} again become new events: without a `timestamp`, only `key_columns` "
            "can tell repeats. Set `key_columns`, or select a `timestamp`.",
        )
    elif sync.key_columns and {key.casefold() for key in sync.key_columns} <= _PERSON_COLUMNS:
        yield Finding(
            Level.WARNING,
            f"`key_columns` ({', '.join(sync.key_columns)}) name a person, not an event: all "
            "events of a person get one messageId, and destinations drop all but the first. List "
            "the columns that identify an event.",
        )


def _check_key_column(columns: Sequence[DescribedColumn], sync: SyncSettings) -> Iterator[Finding]:
    """An error if `partition_column` or `order_column` is missing or has an unsupported type."""
    name = range_column_of(sync)
    if name is None:
        return
    setting = "partition_column" if sync.partition_column else "order_column"
    types = [column.sql_type for column in columns if column.name.casefold() == name.casefold()]
    if not types:
        yield Finding(Level.ERROR, f"`{setting}` {name} is not in the result.")
    elif not _KEY_TYPES.match(types[0]):
        yield Finding(
            Level.ERROR,
            f"`{setting}` {name} is {types[0]}; it must be a whole number, a date, a date-time "
            "without an offset or a uniqueidentifier.",
        )
