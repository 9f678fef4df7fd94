"""Rendering of query templates."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tap_mssql_query.sql.template import (
    SyncTimes,
    find_unknown_variables,
    find_variable_problems,
    find_variables,
    render_query,
)

TIMES = SyncTimes(last_sync_time=1_795_439_367, sync_time=1_795_439_400)


@pytest.mark.parametrize(
    ("template", "sql"),
    [
        ("WHERE a >= {{last_sync_time}}", "WHERE a >= 1795439367"),
        ("WHERE a >= {{ last_sync_time }}", "WHERE a >= 1795439367"),
        ("WHERE a < {{\tsync_time\n}}", "WHERE a < 1795439400"),
        (
            "{{last_sync_datetime}}, {{ sync_datetime }}",
            (
                "CAST('2026-11-23T13:09:27' AS datetime2(0)), "
                "CAST('2026-11-23T13:10:00' AS datetime2(0))"
            ),
        ),
        ("SELECT '{not} a {variable}'", "SELECT '{not} a {variable}'"),
        ("{{sync_time}}{{sync_time}}", "17954394001795439400"),
        ("SELECT 1 -- {{x}} {{sync_time}}\r\n/* {{y}} '{{ */", None),
        ("SELECT '{{sync_time}}', [{{sync_time}}]", "SELECT '1795439400', [1795439400]"),
        ('SELECT \'{"a":{"b":{{sync_time}}}}\'', 'SELECT \'{"a":{"b":1795439400}}\''),
        ("SELECT 'a {{{{customer.x}}}} {{{{{y}}}}}'", "SELECT 'a {{customer.x}} {{{y}}}'"),
        ("SELECT '{{{{sync_time}}}}{{sync_time}}'", "SELECT '{{sync_time}}1795439400'"),
        ("SELECT '{{', '}}', '--{{sync_time}}'", "SELECT '{{', '}}', '--1795439400'"),
        ("SELECT 'it''s {{sync_time}}' -- '", "SELECT 'it''s 1795439400' -- '"),
    ],
)
def test_variables_are_replaced(template: str, sql: str | None) -> None:
    """Each variable is replaced, with or without inner spaces; the rest is unchanged."""
    assert render_query(template, TIMES) == (sql or template)


def test_first_sync_starts_at_the_epoch() -> None:
    """The first sync renders 0 and 1970."""
    times = SyncTimes(last_sync_time=0, sync_time=0)
    sql = render_query("{{last_sync_time}} {{last_sync_datetime}}", times)
    assert sql == "0 CAST('1970-01-01T00:00:00' AS datetime2(0))"


@pytest.mark.parametrize(
    ("template", "unknown"),
    [
        ("{{last_sync_time}}", []),
        ("{{lastSyncTime}} {{x}} {{ x }}", ["lastSyncTime", "x"]),
        ("{{}}", [""]),
        ("{{LAST_SYNC_TIME}}", ["LAST_SYNC_TIME"]),
        ("{{last_sync_time + 1}}", ["last_sync_time + 1"]),
        ("{{ 'x' }} '{{y}}' [{{z}}]", ["'x'", "y", "z"]),
        ("'{{{{x}}}}' /* {{y}} /* */ {{z}} */ -- {{a}}", []),
        ("{{{{x}}}}", ["{{x"]),
        ("-- a\n{{x}}", ["x"]),
    ],
)
def test_unknown_variables_are_found(template: str, unknown: list[str]) -> None:
    """Every unknown name in double braces is reported once."""
    assert find_unknown_variables(template) == unknown


@pytest.mark.parametrize(
    "template", ["-- {{sync_time}}", "/* {{sync_time}} */", "'{{sync_time}}'", "[{{sync_time}}]"]
)
def test_only_variables_in_code_count(template: str) -> None:
    """A variable in a comment or in quotes limits nothing."""
    assert find_variables(f"SELECT {{{{last_sync_time}}}} {template}") == ["last_sync_time"]


@pytest.mark.parametrize("template", ["'{{sync_datetime}}'", '"{{ sync_datetime }}"'])
def test_quoted_datetime_is_a_problem(template: str) -> None:
    """A date-time variable brings its own quotes."""
    (problem,) = find_variable_problems(template)
    assert "remove the quotes" in problem


def test_unknown_variable_names_the_escape() -> None:
    """Text in double braces can be written in a string."""
    (problem,) = find_variable_problems("SELECT '{{customer.x}}'")
    assert "{{customer.x}}" in problem
    assert "{{{{text}}}}" in problem


@pytest.mark.parametrize("value", [-1, 253_402_300_800, True, 1.5, "0", "1; DROP TABLE x", None])
def test_only_checked_integers_reach_sql(value: object) -> None:
    """Times must be whole seconds of the years 1970 to 9999."""
    with pytest.raises(ValueError, match="unix seconds"):
        SyncTimes(last_sync_time=value, sync_time=0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("zone", "utc", "literal"),
    [
        ("Europe/Berlin", "2026-07-01T10:00:00", "2026-07-01T12:00:00"),
        ("America/New_York", "2026-01-01T03:00:00", "2025-12-31T22:00:00"),
        # Before the clocks are put back, and in the first pass of the hour: where it begins.
        ("America/New_York", "2026-11-01T04:59:59", "2026-11-01T00:59:59"),
        ("America/New_York", "2026-11-01T05:30:00", "2026-11-01T01:00:00"),
        ("America/New_York", "2026-11-01T06:30:00", "2026-11-01T01:30:00"),
        ("Europe/Berlin", "2026-10-25T00:50:00", "2026-10-25T02:00:00"),
        ("Australia/Lord_Howe", "2026-04-04T14:45:00", "2026-04-05T01:30:00"),
        # The clocks are put forward.
        ("Europe/Berlin", "2026-03-29T01:00:00", "2026-03-29T03:00:00"),
        ("Pacific/Kiritimati", "9999-12-31T23:59:59", "9999-12-31T23:59:59"),
    ],
)
def test_datetimes_are_local_times_of_the_zone(zone: str, utc: str, literal: str) -> None:
    """The lower bound is the earliest local time that a later change can have."""
    seconds = int(datetime.fromisoformat(utc).replace(tzinfo=UTC).timestamp())
    sql = render_query("{{last_sync_datetime}}", SyncTimes(seconds, seconds), zone)
    assert sql == f"CAST('{literal}' AS datetime2(0))"


def test_upper_bound_is_the_local_time() -> None:
    """In the hour that comes twice, too: the next run begins before it."""
    seconds = int(datetime(2026, 11, 1, 5, 30, tzinfo=UTC).timestamp())
    sql = render_query("{{sync_datetime}}", SyncTimes(0, seconds), "America/New_York")
    assert sql == "CAST('2026-11-01T01:30:00' AS datetime2(0))"
