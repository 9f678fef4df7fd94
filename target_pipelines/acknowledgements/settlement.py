"""Settles records: each is delivered, dead-lettered or filtered exactly once, and counted."""

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
"""Rejections up to this number never stop a run."""


class Settlement:
    """Settles calls and records; safe to use from many threads."""

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
        """Settle calls that the destination accepted."""
        for stream, count in _count([call.stream for call in calls]).items():
            self._report.add_delivered(stream, count)
        for epoch, count in _count([call.epoch for call in calls]).items():
            self._acks.settle(epoch, count)

    def filter(self, stream: str, epoch: int) -> None:
        """Settle a record that a call type filtered out."""
        self._report.add_filtered(stream)
        self._acks.settle(epoch)

    def reject(self, dead_letters: Sequence[DeadLetter], epoch: int) -> None:
        """Write dead letters to disk, then settle them.

        Raises:
            DeliveryStopped: they cannot be written.
            TooManyRejected: there are too many of them; they are not settled.
        """
        self._dead_letters.add(dead_letters)
        for dead_letter in dead_letters:
            self._report.add_rejected(dead_letter.stream, dead_letter.reason)
        self._check_ratio()
        self._acks.settle(epoch, len(dead_letters))

    def _check_ratio(self) -> None:
        rejected, read = self._report.rejected, self._report.read
        if self._stops_at_once:
            raise TooManyRejected(
                "A call was rejected, and `on_rejected` is stop. The reason is in the summary and "
                "in the dead letter; no state covers the call. Correct the query or the mapping."
            )
        if rejected > _MIN_REJECTED and rejected > read * self._max_rejected_ratio:
            raise TooManyRejected(
                f"{rejected} of {read} rows became dead letters, more than `max_rejected_ratio` "
                f"({self._max_rejected_ratio:g}) allows. The reasons are in the summary and in the "
                "dead letters; no state covers these rows. Correct the query or the mapping."
            )


def _count(values: Sequence[_T]) -> Mapping[_T, int]:
    """Count each value; fast for the usual case of a single one."""
    different = set(values)
    return {different.pop(): len(values)} if len(different) == 1 else Counter(values)
