from __future__ import annotations

from typing import Any

import pytest

from tap_mssql_query.checks.sync import check_event_ids
from tap_mssql_query.settings.model import parse_settings

COLUMNS = ["userId", "event", "order_id"]


def _messages(columns: list[str], **settings: Any) -> list[str]:
    sync = {"name": "events", "type": "track", "query": "SELECT 1 AS userId", **settings}
    (parsed,) = parse_settings({"host": "h", "syncs": [sync]}).syncs
    return [finding.message for finding in check_event_ids(columns, parsed)]


def test_event_without_key_and_timestamp_is_a_warning():
    """It says when repeats become new events, and what to add."""
    (message,) = _messages(COLUMNS)
    (with_lookback,) = _messages(COLUMNS, lookback_seconds=600)

    assert "become new events" in message
    assert "Set `key_columns`, or select a `timestamp`" in message
    assert "`lookback_seconds`" in with_lookback
    assert "`lookback_seconds`" not in message


@pytest.mark.parametrize("key", ["userId", "ANONYMOUSID"])
def test_key_that_names_a_person_is_a_warning(key):
    """All events of the person would have one messageId."""
    (message,) = _messages([*COLUMNS, "timestamp"], key_columns=[key])

    assert "all events of a person get one messageId" in message


@pytest.mark.parametrize(
    ("columns", "keys"),
    [(COLUMNS, ["order_id"]), (COLUMNS, ["userId", "order_id"]), ([*COLUMNS, "Timestamp"], [])],
    ids=["key", "key with person", "timestamp"],
)
def test_event_with_an_id_is_fine(columns, keys):
    """A key that identifies an event, or a timestamp in any case, is enough."""
    assert _messages(columns, key_columns=keys) == []
