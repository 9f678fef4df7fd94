"""Comparisons of a query with its variables that fail, or miss rows, because of a column's type.

A row is found again if its time, stored in the column, is not before the rendered variable. A type
that keeps less than the time, such as `date`, stores a time that lies before it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from program_kit.findings import Finding, Level
from tap_mssql_query.encoding.columns import ColumnKind, kind_of_sql_type
from tap_mssql_query.errors import QueryFailed
from tap_mssql_query.mssql.describe import describe_result
from tap_mssql_query.sql.select_only import SelectQuery
from tap_mssql_query.sql.template import SyncTimes, local_time_of
from tap_mssql_query.sync.query import render_sync

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_mssql_query.mssql.session import Session
    from tap_mssql_query.settings.model import SyncSettings

PLACEHOLDERS = SyncTimes(last_sync_time=1_987_654_321, sync_time=1_987_654_322)
"""Rendered for the variables, so that they are recognised in the query."""

_DATETIME_KINDS = (ColumnKind.INSTANT, ColumnKind.DATE, ColumnKind.TIME)
_COARSE = re.compile(r"date$|smalldatetime$")
"""Types that keep less than a second. Source: "Date and time types", Transact-SQL."""
_ROUNDED = re.compile(r"datetime$|(datetime2|datetimeoffset)\([0-6]\)$")
"""Types that round times to a second or to a part of it."""


def check_comparisons(session: Session, sync: SyncSettings) -> Iterator[Finding]:
    """Findings about the types of what the query compares with its variables."""
    from tap_mssql_query.sql.syntax_tree import find_comparisons  # noqa: PLC0415 - loads sqlglot

    times = (PLACEHOLDERS.last_sync_time, PLACEHOLDERS.sync_time)
    numbers = {str(time) for time in times}
    texts = [local_time_of(time, sync.timezone) for time in times]
    for found in find_comparisons(render_sync(sync, PLACEHOLDERS), numbers | set(texts)):
        sql_type = _type_of(session, found.select)
        if sql_type is None:
            continue
        subject = f"{found.expression} is {sql_type}"
        if found.literal in numbers:
            yield from _check_number(subject, sql_type)
            if found.excludes_equal and found.literal == str(PLACEHOLDERS.last_sync_time):
                yield from _check_second(found.expression, sql_type)
        else:
            yield from _check_zone(subject, sql_type, sync.timezone)
            if found.literal == texts[0]:
                yield from _check_precision(
                    subject, found.expression, sql_type, excludes_equal=found.excludes_equal
                )


def _check_number(subject: str, sql_type: str) -> Iterator[Finding]:
    """SQL Server can compare a datetime with a small number, such as the 0 of the first run.

    From the second run on it fails with error 8115.
    """
    if kind_of_sql_type(sql_type) in _DATETIME_KINDS:
        yield Finding(
            Level.ERROR,
            f"{subject}, but is compared with a number of seconds: use {{{{last_sync_datetime}}}} "
            "and {{sync_datetime}} instead of {{last_sync_time}} and {{sync_time}}.",
        )


def _check_second(expression: str, sql_type: str) -> Iterator[Finding]:
    if kind_of_sql_type(sql_type) is ColumnKind.INTEGER:
        yield Finding(
            Level.OK,
            f"{expression} > {{{{last_sync_time}}}} can lose rows of the second in which a run "
            "starts. >= sends them twice; `key_columns` or a `messageId` column let the "
            "destination drop the repeats.",
        )


def _check_zone(subject: str, sql_type: str, timezone: str) -> Iterator[Finding]:
    """The server takes a date-time for UTC where it compares it with a datetimeoffset."""
    if sql_type.startswith("datetimeoffset") and timezone != "UTC":
        yield Finding(
            Level.ERROR,
            f"{subject}, whose values have an offset, but is compared with a local time of "
            f"{timezone}, which the server takes for UTC: rows are missed or repeated. Leave "
            "`timezone` out: values with an offset need none.",
        )


def _check_precision(
    subject: str, expression: str, sql_type: str, *, excludes_equal: bool
) -> Iterator[Finding]:
    if kind_of_sql_type(sql_type) is ColumnKind.TIME:
        yield Finding(
            Level.ERROR,
            f"{subject}: it has no date, so that a comparison with a date-time finds wrong rows. "
            "Compare a column with the date and the time.",
        )
    elif _COARSE.match(sql_type):
        yield Finding(
            Level.WARNING,
            f"{subject}, which keeps less than the time of the last run: rows that change after "
            f"it, in the same {'day' if sql_type == 'date' else 'minute'}, are missed. Write "
            f"{expression} >= CAST({{{{last_sync_datetime}}}} AS {sql_type}); the rows of that "
            "time are then sent again.",
        )
    elif excludes_equal and _ROUNDED.match(sql_type):
        yield Finding(
            Level.WARNING,
            f"{subject}, which rounds times: with > a row that changes just after a run starts "
            "may be stored with the time of its start, and is missed. Write >=.",
        )


def _type_of(session: Session, select: str) -> str | None:
    """The type of a SELECT's only column; None if the server cannot describe it."""
    try:
        columns = describe_result(session, SelectQuery(select))
        return next((column.sql_type for column in columns), None)
    except QueryFailed:
        return None
