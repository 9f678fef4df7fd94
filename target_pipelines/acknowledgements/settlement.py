"""Settles records: each is delivered, dead-lettered, filtered or discarded once, and counted."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

from target_pipelines.acknowledgements.dead_letters import encode_lines
from target_pipelines.acknowledgements.stream_report import rejection_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from target_pipelines.acknowledgements.acks import Acks
    from target_pipelines.acknowledgements.dead_letters import DeadLetter
    from target_pipelines.acknowledgements.newer_calls import NewerCalls
    from target_pipelines.acknowledgements.rejected_rows import RejectionKeeper
    from target_pipelines.acknowledgements.report import RunReport
    from target_pipelines.acknowledgements.stream_failures import StreamFailures
    from target_pipelines.api.calls import EncodedCall

_T = TypeVar("_T", bound="Hashable")


class Settlement:
    """Settles calls and records; safe to use from many threads."""

    def __init__(
        self,
        acks: Acks,
        rejected: RejectionKeeper,
        report: RunReport,
        failures: StreamFailures,
        newer_calls: NewerCalls,
    ) -> None:
        self._acks = acks
        self._rejected = rejected
        self._report = report
        self._failures = failures
        self._newer_calls = newer_calls

    def deliver(self, calls: Sequence[EncodedCall]) -> None:
        """Settle calls that the destination accepted."""
        for stream, count in _count([call.stream for call in calls]).items():
            self._report.add_delivered(stream, count)
        self._newer_calls.note_delivered(calls)
        self._settle(calls)

    def discard_failed(self, calls: list[EncodedCall]) -> list[EncodedCall]:
        """The calls of streams that have not failed; the others are settled and never sent."""
        if not self._failures:
            return calls
        failed = self._failures.snapshot()
        dropped = [call for call in calls if call.stream in failed]
        for stream, count in _count([call.stream for call in dropped]).items():
            self._report.add_discarded(stream, count)
        self._settle(dropped)
        return [call for call in calls if call.stream not in failed]

    def filter(self, stream: str, epoch: int) -> None:
        """Settle a record that a call type filtered out."""
        self._report.add_filtered(stream)
        self._acks.settle(epoch)

    def reject(self, dead_letters: Sequence[DeadLetter], epoch: int) -> None:
        """Stage dead letters, then settle them; those of a failed stream are discarded.

        Raises PipelinesError if the run must stop; then they are not settled.
        """
        for stream, group in groupby(dead_letters, lambda dead_letter: dead_letter.stream):
            self._reject(stream, list(group), epoch)
        self._acks.settle(epoch, len(dead_letters))

    def _reject(self, stream: str, dead_letters: Sequence[DeadLetter], epoch: int) -> None:
        if stream in self._failures:
            self._report.add_discarded(stream, len(dead_letters))
            return
        for dead_letter in dead_letters:
            self._report.add_rejected(stream, rejection_of(dead_letter))
        reasons = [dead_letter.reason for dead_letter in dead_letters]
        lines = encode_lines(dead_letters)
        self._newer_calls.watch(dead_letters, lines)
        self._rejected.add(stream, epoch, b"".join(lines), reasons)

    def _settle(self, calls: Sequence[EncodedCall]) -> None:
        for epoch, count in _count([call.epoch for call in calls]).items():
            self._acks.settle(epoch, count)


def _count(values: Sequence[_T]) -> Mapping[_T, int]:
    """Count each value; fast for the usual case of a single one."""
    different = set(values)
    return {different.pop(): len(values)} if len(different) == 1 else Counter(values)
