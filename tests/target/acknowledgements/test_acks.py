from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_pipelines.acknowledgements.acks import Acks, WorkerAcks

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


def _into(written: list[Any]) -> Callable[[Any, int], None]:
    return lambda state, _epoch: written.append(state)


def test_state_waits_for_the_records_before_it():
    """A STATE is written once the last record before it is settled."""
    written: list[Any] = []
    acks = Acks(_into(written))
    acks.expect(2)
    epoch = acks.epoch
    acks.add_state({"n": 1})

    acks.settle(epoch)
    assert written == []
    acks.settle(epoch)
    assert written == [{"n": 1}]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("empty", [{}, {"bookmarks": {}}])
def test_empty_state_never_stands_for_a_good_one(workers, empty):
    """Also if both become safe at once, when only the newest is written."""
    written: list[Any] = []
    acks = WorkerAcks(workers, _into(written)) if workers else Acks(_into(written))
    good = {"bookmarks": {"s": {"last_sync_time": 1}}}
    for state in (good, empty):
        if isinstance(acks, Acks):
            acks.expect(1)
        acks.add_state(state)

    for worker in range(workers):
        assert isinstance(acks, WorkerAcks)
        acks.settle(worker, 1)
    if isinstance(acks, Acks):
        acks.settle_each([1, 0])

    assert written == [good]


def test_state_does_not_wait_for_the_records_after_it():
    """Records after a STATE do not delay it."""
    written: list[Any] = []
    acks = Acks(_into(written))
    acks.add_state({"n": 1})

    acks.expect(5)

    assert written == [{"n": 1}]


def test_later_state_waits_for_earlier_records():
    """A STATE whose own epoch is settled waits for earlier epochs."""
    written: list[Any] = []
    acks = Acks(_into(written))
    acks.expect(1)
    first = acks.epoch
    acks.add_state({"n": 1})
    acks.expect(1)
    second = acks.epoch
    acks.add_state({"n": 2})

    acks.settle(second)
    assert written == []
    acks.settle(first)
    assert written == [{"n": 2}]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_no_state_precedes_an_unsettled_record(records_per_state, rng: random.Random):
    """In any order of settling, a STATE is written after all records before it."""
    written: list[Any] = []
    acks = Acks(_into(written))
    open_records: list[tuple[int, int]] = []
    for number, count in enumerate(records_per_state):
        acks.expect(count)
        open_records += [(acks.epoch, number)] * count
        acks.add_state({"n": number})
    rng.shuffle(open_records)
    while open_records:
        epoch, _ = open_records.pop()
        acks.settle(epoch)
        unsettled = min((number for _, number in open_records), default=len(records_per_state))
        assert all(state["n"] < unsettled for state in written)
    assert written[-1] == {"n": len(records_per_state) - 1}
    assert written == sorted(written, key=lambda state: state["n"])


def test_state_waits_for_all_workers():
    """The newest STATE that every worker has acknowledged is written, once."""
    written: list[Any] = []
    acks = WorkerAcks(2, _into(written))
    first, second, third = (acks.add_state({"n": n}) for n in (1, 2, 3))

    acks.settle(0, third)
    assert written == []
    acks.settle(1, first)
    acks.settle(1, third)
    assert written == [{"n": 1}, {"n": 3}]
    assert first < second < third


def test_worker_may_acknowledge_states_one_by_one_or_together():
    """States are written in order, however often each worker acknowledges."""
    written: list[Any] = []
    acks = WorkerAcks(3, _into(written))
    numbers = [acks.add_state({"n": n}) for n in range(10)]

    for number in numbers:
        acks.settle(0, number)
    for number in numbers[1::2]:
        acks.settle(1, number)
    for number in numbers[2::3] + numbers[-1:]:
        acks.settle(2, number)

    assert [state["n"] for state in written] == [2, 5, 8, 9]


def test_state_before_the_first_record_waits_for_no_worker():
    """What the tap was given is known at once, and workers may acknowledge it later."""
    written: list[Any] = []
    acks = WorkerAcks(2, _into(written))
    first = acks.add_state({"n": 1}, is_first=True)
    second = acks.add_state({"n": 2}, is_first=True)
    assert written == [{"n": 1}, {"n": 2}]

    acks.settle(0, first)
    third = acks.add_state({"n": 3})
    for worker in (0, 1):
        acks.settle(worker, second)
        acks.settle(worker, third)

    assert [state["n"] for state in written] == [1, 2, 3]


def test_barrier_is_settled_by_all_workers_and_writes_nothing():
    """What is settled before a barrier is safe with the next STATE, not before."""
    written: list[Any] = []
    acks = WorkerAcks(2, _into(written))

    barrier = acks.add_barrier()
    acks.settle(0, barrier)
    assert not acks.has_settled(barrier)
    acks.settle(1, barrier)
    assert acks.has_settled(barrier)
    assert written == []

    number = acks.add_state({"n": 1})
    acks.settle(0, number)
    acks.settle(1, number)
    assert written == [{"n": 1}]
