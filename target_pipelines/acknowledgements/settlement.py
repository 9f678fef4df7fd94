"""Settles records: each is delivered, dead-lettered or filtered, once, and counted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from target_pipelines.api.errors import TooManyRejected

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from target_pipelines.acknowledgements.acks import Acks
    from target_pipelines.acknowledgements.dead_letters import DeadLetter, DeadLetters
    from target_pipelines.acknowledgements.report import RunReport
    from target_pipelines.api.calls import EncodedCall

_T = TypeVar("_T", bound="Hashable")
_MIN_REJECTED = 100
"""Up to so many dead letters no run is stopped: small samples say little."""


class Settlement:
    """Where calls and records go when they are done; safe to use from many threads."""

    def __init__(
        self,
        acks: Acks,
        dead_letters: DeadLetters,
        report: RunReport,
        *,
        max_rejected_ratio: float,
        stops_at_once: bool,
    ) -> None:
        self._acks = acks
        self._dead_letters = dead_letters
        self._report = report
        self._max_rejected_ratio = max_rejected_ratio
        self._stops_at_once = stops_at_once

    def deliver(self, calls: Sequence[EncodedCall]) -> None:
        """The destination has these calls."""
        for stream, count in _count([call.stream for call in calls]).items():
            self._report.add_delivered(stream, count)
        for epoch, count in _count([call.epoch for call in calls]).items():
            self._acks.settle(epoch, count)

    def filter(self, stream: str, epoch: int) -> None:
        """A record was left out on purpose."""
        self._report.add_filtered(stream)
        self._acks.settle(epoch)

    def reject(self, letters: Sequence[DeadLetter], epoch: int) -> None:
        """These will never be calls: kept on disk first, then settled.

        Raises:
            DeliveryStopped: they cannot be written.
            TooManyRejected: there are too many of them; they are not settled.
        """
        self._dead_letters.add(letters)
        for letter in letters:
            self._report.add_rejected(letter.stream, letter.reason)
        self._check_ratio()
        self._acks.settle(epoch, len(letters))

    def _check_ratio(self) -> None:
        rejected, read = self._report.rejected, self._report.read
        if self._stops_at_once:
            raise TooManyRejected(
                "A call was rejected, and `on_rejected` says stop. The reason is in the summary "
                "and with the dead letter; the state stands."
            )
        if rejected > _MIN_REJECTED and rejected > read * self._max_rejected_ratio:
            raise TooManyRejected(
                f"{rejected} of {read} rows became dead letters, more than `max_rejected_ratio` "
                f"({self._max_rejected_ratio:g}) allows. The reasons are in the summary and with "
                "the dead letters; the state stands."
            )


def _count(values: Sequence[_T]) -> Mapping[_T, int]:
    """How often each value comes; nearly always there is one alone, which is faster to see."""
    different = set(values)
    return {different.pop(): len(values)} if len(different) == 1 else Counter(values)
