"""Guards that the state machine removes, and the violation that each removal must cause."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from target_pipelines.acknowledgements.dead_letters import DeadLetters
from target_pipelines.api.outcomes import Delivered, Retry
from target_pipelines.delivery import sender_pool
from target_pipelines.delivery.backoff import backoff_seconds
from target_pipelines.delivery.batching import split_batch
from target_pipelines.delivery.lane import Lane
from target_pipelines.delivery.sender_pool import SenderPool
from tests.reliability.guards import REMOVALS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_pipelines import EncodedCall, Limits, Outcome
    from target_pipelines.api.destinations import Sender
    from tests.reliability.replacements import Replacements


def _drop_failed_batches(code: Replacements) -> None:
    """A response that asks for a retry counts as a delivery."""
    attempt = SenderPool._attempt

    def attempt_once(self: SenderPool, batch: Sequence[EncodedCall], sender: Sender) -> Any:
        return attempt(self, batch, _Believing(sender))

    code.replace(SenderPool, attempt, attempt_once)


class _Believing:
    """A sender that takes failures for deliveries."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def send(self, calls: Sequence[EncodedCall]) -> Outcome:
        outcome = self._sender.send(calls)
        return Delivered() if isinstance(outcome, Retry) else outcome

    def close(self) -> None:
        self._sender.close()


def _lose_dead_letters(code: Replacements) -> None:
    """Rejected rows are counted and settled, and written nowhere."""
    code.replace(DeadLetters, DeadLetters.append, lambda *_: None)


def _retry_at_once(code: Replacements) -> None:
    """Retry-After is ignored."""
    code.replace(sender_pool, backoff_seconds, lambda *_: 0.1)


def _go_on_after_401(code: Replacements) -> None:
    """A lane that is stopped does not stop the others."""

    def fail(self: SenderPool, error: BaseException) -> None:
        self._failure = error

    code.replace(SenderPool, SenderPool._fail, fail)


def _go_on_after_signals(code: Replacements) -> None:
    """A signal does not stop the lanes, nor do they ask for one; only a failure stops them."""
    stop = SenderPool.stop
    code.replace(SenderPool, SenderPool._check_signal, lambda _self: None)

    def stop_after_failure(self: SenderPool) -> None:
        if self._failure:
            stop(self)

    code.replace(SenderPool, stop, stop_after_failure)


def _open_more_lanes(code: Replacements) -> None:
    """A destination's limit on lanes is ignored."""
    code.shadow_builtin(sender_pool, min, max)


def _forget_to_wake(code: Replacements) -> None:
    """A call that is put into a lane does not wake the lane's thread."""
    add = Lane.add

    def add_quietly(self: Lane, calls: Sequence[EncodedCall]) -> None:
        condition: Any = self._changed
        notify, condition.notify_all = condition.notify_all, lambda: None
        add(self, calls)
        condition.notify_all = notify

    code.replace(Lane, add, add_quietly)


def _swap_halves(code: Replacements) -> None:
    """The second half of a rejected batch is sent first."""
    code.replace(sender_pool, split_batch, lambda batch: split_batch(batch)[::-1])


def _ignore_limits(code: Replacements) -> None:
    """Batches may be larger than the destination allows."""

    def new_lane(limits: Limits) -> Lane:
        return Lane(replace(limits, batch_max_bytes=10**6, batch_max_calls=None))

    code.replace(sender_pool, Lane, new_lane)


GUARDS: Mapping[str, tuple[Callable[[Replacements], None], str]] = {
    **{
        name: (REMOVALS[name], violation)
        for name, violation in {
            "states wait for their rows": "premature state",
            "dead letters before states": "premature state",
            "dead letters are on the disk": "premature state",
            "a person has one lane": "out of order",
            "ids know the window": "missing|out of order|premature state",
            "ids are the same again": "repeat with another id",
            "rejected batches are split": "spurious dead letter",
            "calls are counted": "out of order|premature state|uncounted",
        }.items()
    },
    "failed batches are retried": (
        _drop_failed_batches,
        "out of order|premature state|uncounted",
    ),
    "dead letters are kept": (_lose_dead_letters, "premature state"),
    "Retry-After is respected": (_retry_at_once, "sent before Retry-After"),
    "401 stops all lanes": (_go_on_after_401, "sent after 401"),
    "signals stop all lanes": (_go_on_after_signals, "sent after a signal"),
    "destinations limit their lanes": (_open_more_lanes, "too many in flight"),
    "lanes wake up": (_forget_to_wake, "stalled"),
    "halves keep their order": (_swap_halves, "out of order"),
    "batches have limits": (_ignore_limits, "batch too large"),
}
"""Guard → how to remove it, and a regular expression for the violation."""
