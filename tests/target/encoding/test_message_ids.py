from __future__ import annotations

import json
import random
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from program_kit.exact_json import decode_object
from target_pipelines.encoding.message_ids import EventIds, FactIds, Repeats, encode_key
from target_pipelines.plugins.loading import load_plugins
from target_pipelines.singer.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Callable

CALL_TYPES = load_plugins().call_types
TIMED, UNTIMED = True, False
KEY = b"[1]"


def _stream(call_type: str = "track", **changes: Any) -> Stream:
    parts: dict[str, Any] = {"name": "s", "last_sync_time": 0, "sync_time": 9, **changes}
    return Stream(call_type=CALL_TYPES[call_type], plugin="p", **parts)


def _events(salt: str = "", **changes: Any) -> EventIds:
    return EventIds(_stream(**changes), salt, Repeats())


def _facts(salt: str = "", **changes: Any) -> FactIds:
    return FactIds(_stream(**{"call_type": "identify", **changes}), salt)


def _id(ids: EventIds | FactIds, content: str, source: Any) -> str:
    """The id of a call with this content."""
    call = json.loads(ids.add_to(json.dumps({"content": content}).encode(), source))
    assert call["content"] == content
    return str(call["messageId"])


@pytest.mark.parametrize("source", [TIMED, UNTIMED])
def test_same_events_again_get_the_same_ids(source):
    """After a crash the same rows of the same window get the same ids, equal rows included."""
    first, again = _events(), _events()
    rows = ["a", "b", "a", "a"]

    assert [_id(first, row, source) for row in rows] == [_id(again, row, source) for row in rows]


@pytest.mark.parametrize("source", [TIMED, UNTIMED])
def test_equal_events_of_one_run_are_distinct(source):
    """Two equal rows without a key are two events."""
    ids = _events()

    assert len({_id(ids, "a", source) for _ in range(5)}) == 5


def test_event_with_a_key_is_one_event():
    """Its content does not matter, nor how often or when it is read."""
    ids = _events()

    assert len({_id(ids, content, KEY) for content in ("a", "b", "a")}) == 1
    assert _id(_events(last_sync_time=7, sync_time=8, partition=1), "c", KEY) == _id(ids, "a", KEY)
    assert _id(ids, "a", b"[2]") != _id(ids, "a", KEY)


def test_event_with_a_timestamp_is_the_same_in_every_window():
    """A lookback, --since and --resync read it in other windows."""
    later = _events(last_sync_time=7, sync_time=8)

    assert _id(later, "a", TIMED) == _id(_events(), "a", TIMED)
    assert _id(later, "a", UNTIMED) != _id(_events(), "a", UNTIMED)


def test_known_repeat_is_not_counted():
    """A replay gives a record the number that it had in its run."""
    counted, ids = _events(), _events()
    first, second = (_id(counted, "a", TIMED) for _ in range(2))
    call = b'{"content": "a"}'

    assert json.loads(ids.add_to(call, TIMED, 1))["messageId"] == second
    assert json.loads(ids.add_to(call, TIMED, 0))["messageId"] == first


def test_facts_of_one_run_are_distinct_by_their_position():
    """A → B → A are three calls, and a second delivery of the same run repeats their ids."""
    ids, again = _facts(), _facts()
    rows = ["a", "b", "a"]

    first = [_id(ids, row, position) for position, row in enumerate(rows)]

    assert len(set(first)) == 3
    assert [_id(again, row, position) for position, row in enumerate(rows)] == first
    assert _id(ids, "1", 2) != _id(ids, "2", 1)


def test_repeats_are_counted_among_many_rows():
    """Every repeat of many rows gets an id of its own."""
    ids = _events()
    rows = [str(number) for number in range(20_000)]

    once = [_id(ids, row, UNTIMED) for row in rows]
    twice = [_id(ids, row, UNTIMED) for row in rows]

    assert [f"{first}-1" for first in once] == twice
    assert len(set(once)) == len(rows)


def _memory_per_call(add: Callable[[int], object], count: int) -> float:
    """The bytes that the later two thirds of the calls cost each."""
    tracemalloc.start()
    for number in range(count // 3):
        add(number)
    fixed = tracemalloc.get_traced_memory()[0]
    for number in range(count // 3, count):
        add(number)
    grown = tracemalloc.get_traced_memory()[0] - fixed
    tracemalloc.stop()
    return grown / (count * 2 / 3)


def test_memory_for_repeats_is_bounded():
    """A row costs at most 20 bytes, besides a fixed amount."""
    repeats, draw, batch = Repeats(), random.Random(0), 2_000

    def add(_: int) -> None:
        assert [*repeats.find([draw.randbytes(16) for _ in range(batch)])] == []

    assert _memory_per_call(add, 300) < 20 * batch


@pytest.mark.parametrize(("ids", "source"), [(_facts(), 1), (_events(), KEY)], ids=["fact", "key"])
def test_other_ids_need_no_memory(ids, source):
    """Facts and events with a key may come by the billion."""
    assert _memory_per_call(lambda number: ids.add_to(b"{%d" % number, source), 15_000) < 1


CHANGES = [{"salt": "x"}, {"name": "t"}, {"renamed_from": "t"}]


@pytest.mark.parametrize(
    "changes", [*CHANGES, {"call_type": "alias"}, {"sync_time": 1}, {"partition": 0}], ids=str
)
def test_each_part_changes_the_id_of_a_fact(changes):
    """Tenant, stream, call type, run and partition are parts of it."""
    assert _id(_facts(**changes), "a", 0) != _id(_facts(), "a", 0)


@pytest.mark.parametrize("changes", [*CHANGES, {"call_type": "page"}], ids=str)
@pytest.mark.parametrize("source", [KEY, TIMED, UNTIMED])
def test_each_part_changes_the_id_of_an_event(changes, source):
    """Tenant, stream and call type are parts of it."""
    assert _id(_events(**changes), "a", source) != _id(_events(), "a", source)


def test_renamed_stream_keeps_its_ids():
    """The former name is part of the ids, not the present one."""
    renamed = _events(name="new", renamed_from="old")

    assert _id(renamed, "a", KEY) == _id(_events(name="old"), "a", KEY)


def test_parts_are_separated():
    """Salt `a` with stream `b` differs from salt `ab` without a stream."""
    assert _id(_events("a", name="b"), "", KEY) != _id(_events("ab", name=""), "", KEY)


def test_ids_are_short_enough():
    """Segment's limit is 100 characters."""
    ids = _events()

    assert max(len(_id(ids, "a", UNTIMED)) for _ in range(1000)) <= 100
    assert len(_id(_facts(), "a", 10**18)) == 32


KEYS: dict[str, tuple[str, bytes | None]] = {
    "number": ('{"a":42}', b"[42]"),
    "text": ('{"a":"42"}', b'["42"]'),
    "decimal": ('{"a":1.50}', b"[1.50]"),
    "escaped": (r'{"a":"\u00e9\/"}', '["é/"]'.encode()),
    "boolean": ('{"a":true}', b"[true]"),
    "null": ('{"a":null}', None),
    "missing": ('{"b":1}', None),
}


@pytest.mark.parametrize(("record", "key"), KEYS.values(), ids=list(KEYS))
def test_key_is_the_json_of_the_values(record, key):
    """Numbers keep their text; a row with a NULL in its key has none."""
    assert encode_key(decode_object(record), ["a"]) == key


def test_stream_without_key_columns_has_no_key():
    """Its events are told apart by their content."""
    assert encode_key({"a": 1}, []) is None
