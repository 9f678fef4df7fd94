from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from target_pipelines.encoding.message_ids import MessageIds


def _id(ids: MessageIds, content: str) -> str:
    """The id of a call with this content."""
    call = json.loads(ids.add_to(json.dumps({"content": content}).encode()))
    assert call["content"] == content
    return str(call["messageId"])


def _ids(**changes: Any) -> MessageIds:
    parts = {"salt": "", "stream": "s", "call_type": "track", "last_sync_time": 0}
    return MessageIds(**{**parts, "counts_repeats": True, **changes})


def test_same_rows_again_get_the_same_ids():
    """After a crash the same rows of the same window get the same ids, equal rows included."""
    first, again = _ids(), _ids()
    rows = ["a", "b", "a", "a"]

    assert [_id(first, row) for row in rows] == [_id(again, row) for row in rows]


def test_equal_events_of_one_run_are_distinct():
    """Two equal rows are two events."""
    ids = _ids()

    assert len({_id(ids, "a") for _ in range(5)}) == 5


def test_repeats_are_counted_among_many_rows():
    """Every repeat of many rows gets an id of its own."""
    ids = _ids()
    rows = [str(number) for number in range(20_000)]

    once = [_id(ids, row) for row in rows]
    twice = [_id(ids, row) for row in rows]

    assert [f"{first}-1" for first in once] == twice
    assert len(set(once)) == len(rows)


def test_memory_for_repeats_is_bounded():
    """A row costs at most 20 bytes, besides a fixed amount."""
    tracemalloc.start()
    ids = _ids()
    for number in range(200_000):
        ids.add_to(b"{%d" % number)
    fixed = tracemalloc.get_traced_memory()[0]
    for number in range(200_000, 600_000):
        ids.add_to(b"{%d" % number)
    grown = tracemalloc.get_traced_memory()[0] - fixed
    tracemalloc.stop()

    assert grown / 400_000 < 20


def test_equal_facts_of_one_run_have_one_id():
    """The same fact sent twice is a repeat."""
    ids = _ids(counts_repeats=False)

    assert _id(ids, "a") == _id(ids, "a")


@pytest.mark.parametrize(
    "changes",
    [{"salt": "x"}, {"stream": "t"}, {"call_type": "page"}, {"last_sync_time": 1}],
    ids=str,
)
def test_each_part_changes_the_id(changes):
    """Tenant, stream, call type and window are part of the id, so A → B → A is not a repeat."""
    assert _id(_ids(**changes), "a") != _id(_ids(), "a")


def test_parts_are_separated():
    """Salt `a` with stream `b` differs from salt `ab` without a stream."""
    assert _id(_ids(salt="a", stream="b"), "") != _id(_ids(salt="ab", stream=""), "")


def test_id_is_short_enough():
    """Segment's limit is 100 characters."""
    ids = _ids()

    assert max(len(_id(ids, "a")) for _ in range(1000)) <= 100
