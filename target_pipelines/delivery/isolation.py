"""Finds the calls that an API cannot process, when it fails at a batch again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_pipelines.api.outcomes import Delivered, PartlyRejected, Rejected, Retry
from target_pipelines.delivery.batching import split_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from target_pipelines.api.calls import EncodedCall
    from target_pipelines.api.outcomes import Fatal

Settled = Delivered | PartlyRejected | Rejected
"""The outcomes after which a batch is not sent again as it is."""


class NothingPasses(Exception):  # noqa: N818 - reads as what is the case
    """The API accepts nothing, so that no call is to blame; `outcome` is the last attempt's."""

    def __init__(self, outcome: Retry | Fatal) -> None:
        super().__init__()
        self.outcome = outcome


def isolate(
    batch: list[EncodedCall],
    attempt: Callable[[list[EncodedCall]], Settled | Retry | Fatal],
    has_accepted_others: Callable[[], bool],
) -> Iterator[tuple[list[EncodedCall], Settled]]:
    """Attempt the halves of a batch, in order and once each, down to single calls.

    Yields what is settled, with its outcome: calls that fail alone are `Rejected` at the end, if
    others passed meanwhile. Raises NothingPasses if none did, soon, or if the API does not blame a
    call; the calls that were not yielded are unsettled then.

    Args:
        batch: calls at which the API failed until the retries ran out.
        attempt: sends calls once.
        has_accepted_others: whether the API accepts calls of other batches.
    """
    waiting = _halves(batch)
    failing: list[tuple[list[EncodedCall], Retry]] = []
    passed = False
    failures = 0
    while waiting:
        calls = waiting.pop()
        outcome = attempt(calls)
        if isinstance(outcome, (Delivered, PartlyRejected, Rejected)):
            passed = True
            yield calls, outcome
            continue
        failures += 1
        is_down = failures > 2 * len(batch).bit_length() and not (passed or has_accepted_others())
        if not isinstance(outcome, Retry) or not outcome.blames_call or is_down:
            raise NothingPasses(outcome)
        if len(calls) == 1:
            failing.append((calls, outcome))
        else:
            waiting += _halves(calls)
    if failing and not (passed or has_accepted_others()):
        raise NothingPasses(failing[-1][1])
    for calls, outcome in failing:
        reason = f"{outcome.reason} to this call alone, while other calls were accepted"
        yield calls, Rejected(reason, outcome.status)


def _halves(calls: list[EncodedCall]) -> list[list[EncodedCall]]:
    """The halves of two or more calls, the first one last, as on a stack; a single call itself."""
    if len(calls) == 1:
        return [calls]
    first, second = split_batch(calls)
    return [second, first]
