from __future__ import annotations

from collections import deque

import pytest

from target_pipelines.batching import EncodedCall, Limits, split_batch, take_batch


def _calls(*sizes: int) -> deque[EncodedCall]:
    return deque(EncodedCall(b"x" * size, "s", "track", str(size), 0) for size in sizes)


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
    """Envelope and commas count: a batch has exactly the calls whose bytes fit."""
    assert len(take_batch(_calls(10, 10, 10), _limits(batch_max_bytes))) == taken


def test_batch_has_no_more_calls_than_allowed():
    """The number of calls is a limit of its own."""
    assert len(take_batch(_calls(1, 1, 1), _limits(1000, batch_max_calls=2))) == 2


def test_calls_leave_from_the_front():
    """What is not taken stays, in order."""
    waiting = _calls(1, 2, 3)

    batch = take_batch(waiting, _limits(1000, batch_max_calls=2))

    assert [call.person for call in (*batch, *waiting)] == ["1", "2", "3"]


@pytest.mark.parametrize("count", [2, 3, 7])
def test_halves_are_the_whole_in_order(count):
    """Both halves have calls, and together all of them in order."""
    first, second = split_batch(list(_calls(*range(count))))

    assert first
    assert second
    assert [call.person for call in (*first, *second)] == [str(n) for n in range(count)]
