"""A call at which the API fails does not block the others for ever."""

from __future__ import annotations

import pytest

from target_pipelines.api.calls import EncodedCall
from target_pipelines.api.outcomes import Delivered, Fatal, Rejected, Retry
from target_pipelines.delivery.isolation import NothingPasses, isolate

FAILED = Retry("HTTP 500", blames_call=True, status=500)


class _API:
    """Fails at some calls, and counts the attempts."""

    def __init__(self, poison, failure=FAILED) -> None:
        self.poison = poison
        self.failure = failure
        self.attempts = 0

    def attempt(self, calls):
        self.attempts += 1
        return self.failure if any(call.position in self.poison for call in calls) else Delivered()


def _batch(count: int) -> list[EncodedCall]:
    return [EncodedCall(b"{}", "s", "identify", "k", 0, position=n) for n in range(count)]


def _positions(found, kind) -> list[int]:
    return [c.position for calls, outcome in found if isinstance(outcome, kind) for c in calls]


@pytest.mark.parametrize("count", [2, 3, 10, 100, 1000])
@pytest.mark.parametrize("poison", [{0}, {1}, {0, 1}, {0, 1, -1}])
def test_failing_calls_are_found_and_the_others_delivered(count, poison):
    """In order, with few attempts."""
    poison = {number % count for number in poison}
    api = _API(poison)
    if len(poison) == count:
        with pytest.raises(NothingPasses):
            list(isolate(_batch(count), api.attempt, lambda: False))
        return

    found = list(isolate(_batch(count), api.attempt, lambda: False))

    assert _positions(found, Delivered) == sorted(set(range(count)) - poison)
    assert _positions(found, Rejected) == sorted(poison)
    assert api.attempts <= 2 * len(poison) * count.bit_length() + 2
    reasons = [outcome.reason for _, outcome in found if isinstance(outcome, Rejected)]
    assert all("HTTP 500 to this call alone" in reason for reason in reasons)


@pytest.mark.parametrize("failure", [FAILED, Retry("HTTP 503"), Fatal("HTTP 401")])
def test_nothing_is_rejected_if_nothing_passes(failure):
    """It is an outage, which a few attempts show."""
    api = _API(set(range(1000)), failure)

    with pytest.raises(NothingPasses):
        list(isolate(_batch(1000), api.attempt, lambda: False))

    assert api.attempts <= 22


def test_single_call_is_rejected_if_others_pass_elsewhere():
    """A batch of one call has no other half."""
    found = list(isolate(_batch(1), _API({0}).attempt, lambda: True))

    assert _positions(found, Rejected) == [0]
    with pytest.raises(NothingPasses):
        list(isolate(_batch(1), _API({0}).attempt, lambda: False))
