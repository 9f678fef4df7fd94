from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_mssql_query.settings.model import parse_settings
from tap_mssql_query.sql.template import SyncTimes, fingerprint_of
from tap_mssql_query.sync.run_options import RunOptions, find_problems, parse_timestamp
from tap_mssql_query.sync.window import find_window

NOW = 1_700_000_000
LAST = {"bookmarks": {"s": {"last_sync_time": NOW - 1000}}}


def _sync(**changes: Any):
    sync = {"name": "s", "type": "identify", "query": "SELECT {{last_sync_time}}", **changes}
    return parse_settings({"host": "h", "syncs": [sync]}).syncs[0]


CASES: dict[str, tuple[dict[str, Any], RunOptions, dict[str, Any], SyncTimes | None]] = {
    "first run": ({}, RunOptions(), {}, SyncTimes(0, NOW)),
    "next run": ({}, RunOptions(), LAST, SyncTimes(NOW - 1000, NOW)),
    "lookback": ({"lookback_seconds": 60}, RunOptions(), LAST, SyncTimes(NOW - 1060, NOW)),
    "lookback ends at 0": ({"lookback_seconds": NOW}, RunOptions(), LAST, SyncTimes(0, NOW)),
    "not due": ({"frequency": "1h"}, RunOptions(), LAST, None),
    "due": ({"frequency": "15m"}, RunOptions(), LAST, SyncTimes(NOW - 1000, NOW)),
    "not begun": ({"start_at": "2030-01-01"}, RunOptions(), LAST, None),
    "resync": ({"frequency": "1h"}, RunOptions(resync=["s"]), LAST, SyncTimes(0, NOW)),
    "resync of another": ({}, RunOptions(resync=["t"]), LAST, SyncTimes(NOW - 1000, NOW)),
    "first run from a date": (
        {"start_from": "1970-01-01T00:00:09"},
        RunOptions(),
        {},
        SyncTimes(9, NOW),
    ),
    "first run from now": (
        {"start_from": "now", "frequency": "1h", "lookback_seconds": 60},
        RunOptions(),
        {},
        SyncTimes(NOW, NOW),
    ),
    "first run from a later date": (
        {"start_from": "2999-01-01"},
        RunOptions(),
        {},
        SyncTimes(NOW, NOW),
    ),
    "the clock is behind": (
        {"lookback_seconds": 60},
        RunOptions(),
        {"bookmarks": {"s": {"last_sync_time": NOW + 300}}},
        SyncTimes(NOW - 60, NOW),
    ),
    "start_from after a run": (
        {"start_from": "now"},
        RunOptions(),
        LAST,
        SyncTimes(NOW - 1000, NOW),
    ),
    "resync from a date": (
        {"start_from": "1970-01-01T00:00:09"},
        RunOptions(resync=["s"]),
        LAST,
        SyncTimes(9, NOW),
    ),
    "resync reads all": ({"start_from": "now"}, RunOptions(resync=["s"]), LAST, SyncTimes(0, NOW)),
    "since": ({"frequency": "1h"}, RunOptions(since=5), LAST, SyncTimes(5, NOW)),
    "until": ({}, RunOptions(until=9), LAST, SyncTimes(0, 9)),
    "since and until": ({}, RunOptions(since=5, until=9), LAST, SyncTimes(5, 9)),
}


@pytest.mark.parametrize(("changes", "options", "state", "window"), CASES.values(), ids=list(CASES))
def test_window_follows_schedule_bookmark_and_options(changes, options, state, window):
    """The window follows schedule, bookmark and options."""
    assert find_window(_sync(**changes), options, state, now=NOW) == window


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("1700000000", NOW), ("2023-11-14T22:13:20Z", NOW), ("2023-11-14 22:13:20", NOW)],
)
def test_timestamp_is_parsed(text, seconds):
    """ISO 8601 with and without an offset, and unix seconds."""
    assert parse_timestamp(text) == seconds


@pytest.mark.parametrize("text", ["yesterday", "-5", "99999999999999", "1969-01-01T00:00:00Z"])
def test_other_timestamp_is_refused(text):
    """Anything else, and times before 1970, are errors."""
    with pytest.raises(ValueError, match=r".+"):
        parse_timestamp(text)


PROBLEMS = {
    "unknown sync": (RunOptions(resync=["x"]), 'no sync "x". Known syncs: s'),
    "reversed": (RunOptions(since=9, until=5), "--since is later than --until"),
    "no upper bound": (RunOptions(until=5), "has no {{sync_datetime}} or {{sync_time}}"),
}


@pytest.mark.parametrize(("options", "words"), PROBLEMS.values(), ids=list(PROBLEMS))
def test_unusable_options_are_refused(options, words):
    """A query without the variable would read more than the window."""
    assert words in " ".join(find_problems(options, [_sync()]))


def test_backfill_with_both_variables_is_accepted():
    """With both bounds in the query a window can be read."""
    query = "SELECT {{ last_sync_time }}, {{sync_datetime}}"

    assert list(find_problems(RunOptions(since=1, until=2), [_sync(query=query)])) == []


def test_fingerprint_ignores_spaces():
    """A query that is only reformatted is the same query."""
    assert fingerprint_of("SELECT a\n  FROM b ") == fingerprint_of("SELECT a FROM b")
    assert fingerprint_of("SELECT a FROM b") != fingerprint_of("SELECT a FROM c")


@given(
    rows=st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 120)), max_size=30),
    starts=st.lists(st.integers(1, 1200), min_size=1, max_size=12, unique=True),
    lookback=st.integers(0, 120),
)
def test_rows_committed_late_within_the_lookback_are_read(rows, starts, lookback):
    """Rows are (timestamp, delay of the commit): none is missed, whatever the interleaving.

    A run sees what was committed when it started, and reads from its window's beginning on.
    """
    sync = _sync(lookback_seconds=lookback)
    state: dict[str, Any] = {}
    seen = set()
    for now in [*sorted(starts), 2000]:
        window = find_window(sync, RunOptions(), state, now=now)
        assert window is not None
        seen |= {
            (stamp, delay)
            for stamp, delay in rows
            if stamp + delay <= now and stamp >= window.last_sync_time
        }
        state = {"bookmarks": {"s": {"last_sync_time": now}}}

    assert {row for row in rows if row[1] <= lookback} <= seen
