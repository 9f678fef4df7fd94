"""Each comparison with a date-time variable finds all rows, or is warned of with what does."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from program_kit.findings import Level
from tap_mssql_query.mssql.connect import connect
from tap_mssql_query.settings.model import parse_settings
from tap_mssql_query.sql.template import SyncTimes
from tap_mssql_query.sync.comparisons import check_comparisons
from tap_mssql_query.sync.query import query_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_mssql_query.mssql.session import Session
    from tap_mssql_query.settings.model import SyncSettings

TYPES = [
    "date",
    "smalldatetime",
    "datetime",
    *(f"datetime2({digits})" for digits in (0, 3, 7)),
    *(f"datetimeoffset({digits})" for digits in (0, 7)),
]
LAST_RUNS = [
    datetime(2026, 11, 23, *clock) for clock in ((13, 9, 27), (13, 9, 31), (13, 9, 0), (0, 0, 0))
]
LATER = [0.0004, 0.0017, 0.4, 0.5, 0.9, 1, 2, 29, 30, 31, 59, 3600, 86_399, 86_400]
"""Seconds after the start of the last run at which rows change."""


def _sync(where: str, **settings: Any) -> SyncSettings:
    login = {"host": "h", "database": "d", "username": "u", "password": "p"}
    sync = {
        "name": "s",
        "type": "identify",
        "query": f"SELECT id FROM retl_test_changes WHERE {where}",
    }
    return parse_settings({**login, "syncs": [{**sync, **settings}]}).syncs[0]


@pytest.fixture
def session(config) -> Iterator[Session]:
    """A session with the server."""
    settings = parse_settings(
        {**config, "syncs": [{"name": "s", "type": "t", "query": "SELECT 1"}]}
    )
    with contextlib.closing(connect(settings.syncs[0].database, settings)) as session:
        yield session


def _found(session: Session, sync: SyncSettings, last_run: datetime) -> list[int]:
    seconds = int(last_run.replace(tzinfo=UTC).timestamp())
    rows = session.fetch_all(query_of(sync, SyncTimes(seconds, seconds)))
    return sorted(number for (number,) in rows)


@pytest.mark.parametrize("operator", [">=", ">"])
@pytest.mark.parametrize("last_run", LAST_RUNS, ids=str)
@pytest.mark.parametrize("sql_type", TYPES)
def test_rows_that_change_after_a_run_are_found(session, run_sql, sql_type, last_run, operator):
    """At every edge of rounding: nothing is missed without a warning, nor with its remedy."""
    times = [last_run + timedelta(seconds=seconds) for seconds in LATER]
    rows = ", ".join(f"({n}, '{time.isoformat()}')" for n, time in enumerate(times))
    run_sql("DROP TABLE IF EXISTS retl_test_changes")
    run_sql(f"CREATE TABLE retl_test_changes (id int, at {sql_type})")
    run_sql(f"INSERT INTO retl_test_changes VALUES {rows}")
    sync = _sync(f"at {operator} {{{{last_sync_datetime}}}}")

    findings = list(check_comparisons(session, sync))
    found = _found(session, sync, last_run)

    assert all(finding.level is Level.WARNING for finding in findings)
    if not findings:
        assert found == list(range(len(times)))
        return
    (finding,) = findings
    remedy = re.search(r"Write (at >= .*?);", finding.message)
    better = _sync(remedy[1] if remedy else "at >= {{last_sync_datetime}}")
    assert list(check_comparisons(session, better)) == []
    assert _found(session, better, last_run) == list(range(len(times)))


@pytest.mark.parametrize(("sql_type", "where"), [("date", ">="), ("datetime2(0)", ">")])
def test_warnings_are_of_real_losses(session, run_sql, sql_type, where):
    """The rows of which a warning speaks are missed."""
    last_run = LAST_RUNS[0]
    run_sql("DROP TABLE IF EXISTS retl_test_changes")
    run_sql(f"CREATE TABLE retl_test_changes (id int, at {sql_type})")
    run_sql(f"INSERT INTO retl_test_changes VALUES (0, '{last_run + timedelta(seconds=0.4)}')")
    sync = _sync(f"at {where} {{{{last_sync_datetime}}}}")

    assert _found(session, sync, last_run) == []
    assert len(list(check_comparisons(session, sync))) == 1


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("{{last_sync_datetime}} < at", "datetime2(0), which rounds times"),
        ("at BETWEEN {{last_sync_datetime}} AND {{sync_datetime}}", ""),
        ("at > '2026-01-01' AND at >= {{last_sync_datetime}} AND at < {{sync_datetime}}", ""),
        ("clock >= {{last_sync_datetime}}", "clock is time(7): it has no date"),
        ("at >= {{last_sync_time}}", "at is datetime2(0), but is compared with a number"),
    ],
)
def test_comparisons_are_read_from_either_side(session, run_sql, where, message):
    """Whatever stands on which side."""
    run_sql("DROP TABLE IF EXISTS retl_test_changes")
    run_sql("CREATE TABLE retl_test_changes (id int, at datetime2(0), clock time)")

    messages = [finding.message for finding in check_comparisons(session, _sync(where))]

    assert len(messages) == bool(message)
    assert message in "".join(messages)


def test_offsets_need_no_zone(session, run_sql):
    """The server takes a date-time for UTC beside a datetimeoffset."""
    run_sql("DROP TABLE IF EXISTS retl_test_changes")
    run_sql("CREATE TABLE retl_test_changes (id int, at datetimeoffset(7))")
    where = "at >= {{last_sync_datetime}}"

    (finding,) = check_comparisons(session, _sync(where, timezone="Europe/Berlin"))

    assert finding.level is Level.ERROR
    assert "Leave `timezone` out" in finding.message
    assert list(check_comparisons(session, _sync(where))) == []


def test_first_run_of_a_query_warns(run_tap, config, run_sql):
    """A run says it once: not when the query has run before."""
    run_sql("DROP TABLE IF EXISTS retl_test_changes")
    run_sql("CREATE TABLE retl_test_changes (id int, at date)")
    query = "SELECT id AS userId FROM retl_test_changes WHERE at >= {{last_sync_datetime}}"
    settings = {**config, "syncs": [{"name": "s", "type": "identify", "query": query}]}

    first = run_tap(settings)
    second = run_tap(settings, state=first.state)

    assert "sync=s: at is date, which keeps less" in first.log
    assert "which keeps less" not in second.log


@pytest.mark.parametrize(("operator", "count"), [(">", 1), (">=", 0)])
def test_greater_than_a_second_recommends_a_key(session, run_sql, operator, count):
    """Whole seconds with > lose rows of the second of a run's start."""
    run_sql("DROP TABLE IF EXISTS retl_test_changes")
    run_sql("CREATE TABLE retl_test_changes (id int, at bigint)")

    findings = list(check_comparisons(session, _sync(f"at {operator} {{{{last_sync_time}}}}")))

    assert [finding.level for finding in findings] == [Level.OK] * count
    assert all("key_columns" in finding.message for finding in findings)
