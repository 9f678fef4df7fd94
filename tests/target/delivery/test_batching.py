from __future__ import annotations

import pytest

from target_pipelines.api.calls import EncodedCall, Limits
from target_pipelines.delivery.batching import CallQueue, bytes_by_stream, split_batch, total_bytes


def _calls(*sizes: int) -> list[EncodedCall]:
    return [EncodedCall(b"x" * size, "s", "track", str(size), 0) for size in sizes]


def _limits(batch_max_bytes: int, batch_max_calls: int | None = None) -> Limits:
    return Limits(
        call_max_bytes=100,
        batch_max_bytes=batch_max_bytes,
        batch_max_calls=batch_max_calls,
        envelope_bytes=12,
    )


@pytest.mark.parametrize(
    ("batch_max_bytes", "taken"), [(12 + 10, 1), (12 + 20, 1), (12 + 21, 2), (12 + 32, 3)]
)
def test_batch_is_as_full_as_the_limit_allows(batch_max_bytes, taken):
    """A batch has the calls that fit, with envelope and commas counted."""
    waiting = CallQueue(_limits(batch_max_bytes), _calls(10, 10, 10))

    assert len(waiting.take_batch()) == taken
    assert waiting.bytes == 11 * (3 - taken)


def test_batch_has_no_more_calls_than_allowed():
    """The number of calls is limited as well."""
    waiting = CallQueue(_limits(1000, batch_max_calls=2), _calls(1, 1, 1))

    assert len(waiting.take_batch()) == 2


def test_calls_are_taken_in_order():
    """Calls that are not taken stay in order, and more may follow."""
    waiting = CallQueue(_limits(1000, batch_max_calls=2), _calls(1, 2, 3))

    batches = [waiting.take_batch()]
    waiting.add(_calls(4))
    batches += [waiting.take_batch(), waiting.take_batch()]

    assert [[call.ordering_key for call in batch] for batch in batches] == [
        ["1", "2"],
        ["3", "4"],
        [],
    ]


def test_call_that_is_too_large_is_a_batch_of_its_own():
    """It does not wait for ever; the destination decides."""
    waiting = CallQueue(_limits(12 + 5), _calls(10, 10))

    assert len(waiting.take_batch()) == 1


@pytest.mark.parametrize(
    ("sizes", "is_full"), [((), False), ((20,), False), ((10, 9), False), ((10, 10), True)]
)
def test_batch_is_full_when_waiting_adds_nothing(sizes, is_full):
    """A batch of exactly the limit is full."""
    waiting = CallQueue(_limits(12 + 21), _calls(*sizes))

    assert waiting.has_full_batch == is_full


@pytest.mark.parametrize("count", [2, 3, 7])
def test_halves_keep_all_calls_in_order(count):
    """Neither half is empty, and together they have all calls in order."""
    first, second = split_batch(list(_calls(*range(count))))

    assert first
    assert second
    assert [call.ordering_key for call in (*first, *second)] == [str(n) for n in range(count)]


def test_bytes_of_streams_add_up_to_those_of_the_batch():
    """Each stream has the sizes of its own calls."""
    calls = [EncodedCall(b"x" * n, stream, "track", "", 0) for n, stream in enumerate("aabab", 1)]

    sizes = bytes_by_stream(calls)

    assert sizes == {"a": 1 + 2 + 4, "b": 3 + 5}
    assert sum(sizes.values()) == total_bytes(calls)
