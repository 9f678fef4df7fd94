from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.sql_server.engine import DuckDBEngine
from tap_mssql_query.sql.key_range import (
    KeyRange,
    cover_all_values,
    split_range,
    sql_literal,
    to_key_value,
)

VALUES = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1),
    st.lists(st.dates().map(to_key_value), min_size=1),
    st.lists(st.datetimes().map(lambda moment: to_key_value(moment.replace(fold=0))), min_size=1),
)


def _holds(key_range: KeyRange, value: Any) -> bool:
    is_above = key_range.low is None or value >= key_range.low
    return is_above and (key_range.high is None or value < key_range.high)


@settings(deadline=None)
@given(VALUES, st.integers(1, 50))
def test_every_value_is_in_one_range(values, count):
    """Every value is in exactly one partition."""
    ranges = split_range(min(values), max(values), count)

    assert cover_all_values(ranges)
    assert len(ranges) <= count
    for value in values:
        assert sum(_holds(each, value) for each in ranges) == 1


def test_ranges_are_of_equal_width():
    """Ranges are equal between the extremes; the outer ones also take new rows beyond them."""
    assert split_range(1, 100, 4) == [
        KeyRange(None, 26),
        KeyRange(26, 51),
        KeyRange(51, 76),
        KeyRange(76, None),
    ]


def test_few_values_make_few_ranges():
    """A range contains at least one value."""
    assert split_range("2026-01-01", "2026-01-02", 10) == [
        KeyRange(None, "2026-01-02"),
        KeyRange("2026-01-02", None),
    ]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.uuids(), min_size=1, max_size=40), st.integers(1, 20))
def test_ranges_of_guids_are_in_the_order_of_the_server(guids, count):
    """SQL Server compares the last six bytes first, and finds each row in one range."""
    session = _GUIDS.open(guids)
    least, greatest = session.extremes()

    ranges = split_range(to_key_value(least), to_key_value(greatest), count)

    found = [guid for each in ranges for guid in session.within(each)]
    assert sorted(found) == sorted(guids)


class _Guids:
    """A uniqueidentifier table in the sandbox, which orders them like SQL Server."""

    def __init__(self) -> None:
        self._engine = DuckDBEngine()
        self._engine.create_database("d")
        self._engine.run("d", "CREATE TABLE g (k uniqueidentifier)")

    def open(self, guids: list[UUID]) -> _Guids:
        self._engine.run("d", "DELETE FROM g")
        values = ", ".join(f"('{guid}')" for guid in guids)
        self._engine.run("d", f"INSERT INTO g VALUES {values}")
        return self

    def extremes(self) -> tuple[UUID, UUID]:
        ((least, greatest),) = self._engine.run("d", "SELECT MIN(k), MAX(k) FROM g")
        return least, greatest

    def within(self, key_range: KeyRange) -> list[UUID]:
        rows = self._engine.run("d", f"SELECT k FROM g WHERE {key_range.condition('k')}")
        return [guid for (guid,) in rows]


_GUIDS = _Guids()


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (7, 7),
        (Decimal(12), 12),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("6F9619FF-8B86-D011-B42D-00C04FC964FF", "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
    ],
)
def test_values_are_kept_as_text_or_whole_number(read, value):
    """The state, which is JSON, holds key values as text or integers."""
    assert to_key_value(read) == value


@pytest.mark.parametrize(
    "read", [True, 1.5, Decimal("1.5"), "abc", b"x", None, datetime(2026, 1, 1, tzinfo=UTC)]
)
def test_other_types_are_refused(read):
    """Values of other types are refused rather than guessed."""
    with pytest.raises(ValueError, match="neither a whole number"):
        to_key_value(read)


@settings(deadline=None)
@given(st.text() | st.floats() | st.booleans() | st.none() | st.lists(st.integers()))
def test_nothing_else_becomes_sql(value):
    """A state file cannot inject SQL."""
    with pytest.raises(ValueError, match="not an integer, date"):
        sql_literal(value)


def test_lowest_range_has_the_nulls():
    """NULL belongs to the lowest range; it would be in no other."""
    assert KeyRange(None, 5).condition("a]b") == "([a]]b] < 5 OR [a]]b] IS NULL)"
    assert KeyRange(5, None).condition("a") == "[a] >= 5"
    assert KeyRange().condition("a") == "1 = 1"


@pytest.mark.parametrize(
    "ranges",
    [[], [KeyRange(None, 1)], [KeyRange(1, None)], [KeyRange(None, 1), KeyRange(2, None)]],
)
def test_gap_between_ranges_is_found(ranges):
    """An edited state with a gap between ranges is detected."""
    assert not cover_all_values(ranges)
