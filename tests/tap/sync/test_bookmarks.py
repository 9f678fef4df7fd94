"""Bookmarks in a Singer state."""

from __future__ import annotations

import math

import pytest

from tap_mssql_query.errors import StateError
from tap_mssql_query.sync.bookmarks import (
    check_not_in_future,
    read_last_sync_time,
    unwrap_state,
)


def test_bookmark_is_read() -> None:
    """The bookmark of the sync is found among others."""
    state = {"bookmarks": {"users": {"last_sync_time": 7, "other": 1}, "foreign": {}}}
    assert read_last_sync_time(state, "users") == 7


@pytest.mark.parametrize("state", [{}, {"bookmarks": {}}, {"bookmarks": {"users": {}}}])
def test_first_sync_has_bookmark_zero(state: dict[str, object]) -> None:
    """A sync that is not in the state starts at 0."""
    unwrap_state(state)
    assert read_last_sync_time(state, "users") == 0


@pytest.mark.parametrize("value", [-1, 10**12, 1.0, math.nan, True, "7", None, [], {}])
def test_unusable_bookmark_is_refused(value: object) -> None:
    """A bookmark of the wrong type or range is refused, naming the sync, not the value."""
    with pytest.raises(StateError, match='"users" in the state') as caught:
        read_last_sync_time({"bookmarks": {"users": {"last_sync_time": value}}}, "users")
    assert "10000" not in str(caught.value)


WRAPPINGS = [
    {"bookmarks": {"users": {"last_sync_time": 7}}, "currently_syncing": None},
    {"singer_state": {"bookmarks": {"users": {"last_sync_time": 7}}}},
    {"type": "STATE", "value": {"bookmarks": {"users": {"last_sync_time": 7}}}},
    {"users": {"last_sync_time": 7}},
    {"users": {"last_sync_time": 7}, "new": {"unfinished": {}}},
]


@pytest.mark.parametrize("state", WRAPPINGS)
def test_state_is_taken_out_of_its_wrapping(state) -> None:
    """As Meltano or another program prints it."""
    assert read_last_sync_time(unwrap_state(state), "users") == 7


@pytest.mark.parametrize(
    "state",
    [{"users": {}}, {"state": {"bookmarks": {}}}, {"host": "h"}, {"singer_state": {"a": 1}}],
)
def test_other_json_is_not_taken_for_an_empty_state(state) -> None:
    """Everything would be sent again, and the file be overwritten."""
    with pytest.raises(StateError, match="has no `bookmarks`"):
        unwrap_state(state)


@pytest.mark.parametrize("state", [[], None, 1, {"bookmarks": []}, {"bookmarks": {"users": 1}}])
def test_unusable_state_is_refused(state: object) -> None:
    """A state that does not have Singer's structure is refused."""
    with pytest.raises(StateError, match="is not a JSON object"):
        unwrap_state(state)


def test_bookmark_in_the_future_is_refused() -> None:
    """A bookmark later than the server's clock would silently skip changes."""
    with pytest.raises(StateError, match="after the server's clock"):
        check_not_in_future(401, sync="users", server_time=100, tolerance_seconds=300)
    check_not_in_future(400, sync="users", server_time=100, tolerance_seconds=300)


@pytest.mark.parametrize(
    "bookmark",
    [
        {"last_sync_time": 1, "partitions": "x"},
        {"last_sync_time": 1, "partitions": ["x"]},
        {"last_sync_time": 1, "partitions": None},
        {"last_sync_time": 1, "progress_markers": "x"},
        {"Last_Sync_Time": 1},
        {"lastSyncTime": 1},
    ],
)
def test_bookmark_that_would_break_or_be_ignored_is_refused(bookmark):
    """It would end in a traceback of the SDK, or read everything again without a word."""
    with pytest.raises(StateError, match='"users"'):
        unwrap_state({"bookmarks": {"users": bookmark}})
