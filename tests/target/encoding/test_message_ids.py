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
    about = {"salt": "", "stream": "s", "call_type": "track", "last_sync_time": 0}
    return MessageIds(**{**about, "counts_repeats": True, **changes})


def test_same_rows_again_get_the_same_ids():
    """After a crash the same rows of the same window are recognised, equal rows included."""
    first, again = _ids(), _ids()
    rows = ["a", "b", "a", "a"]

    assert [_id(first, row) for row in rows] == [_id(again, row) for row in rows]


def test_equal_events_of_one_run_are_distinct():
    """Two equal rows are two events."""
    ids = _ids()

    assert len({_id(ids, "a") for _ in range(5)}) == 5


def test_repeats_are_counted_among_many():
    """Each of many rows is told from its repeats, at a few bytes for each."""
    ids = _ids()
    rows = [str(number) for number in range(20_000)]

    once = [_id(ids, row) for row in rows]
    twice = [_id(ids, row) for row in rows]

    assert [f"{first}-1" for first in once] == twice
    assert len(set(once)) == len(rows)


def test_memory_for_repeats_is_bounded():
    """A row costs at most 20 bytes, the fixed part left aside."""
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


def test_equal_facts_of_one_run_are_one():
    """Saying the same of a person twice is a repeat."""
    ids = _ids(counts_repeats=False)

    assert _id(ids, "a") == _id(ids, "a")


@pytest.mark.parametrize(
    "changes",
    [{"salt": "x"}, {"stream": "t"}, {"call_type": "page"}, {"last_sync_time": 1}],
    ids=str,
)
def test_what_differs_gets_another_id(changes):
    """Tenant, stream, call type and window are part of the id: A → B → A is no repeat."""
    assert _id(_ids(**changes), "a") != _id(_ids(), "a")


def test_parts_do_not_run_into_each_other():
    """Salt `a` and stream `b` are not salt `ab` without a stream."""
    assert _id(_ids(salt="a", stream="b"), "") != _id(_ids(salt="ab", stream=""), "")


def test_id_is_short_enough():
    """Segment takes 100 characters."""
    ids = _ids()

    assert max(len(_id(ids, "a")) for _ in range(1000)) <= 100
