"""Rejected rows of a destination: stages their dead letters, and fails streams with too many."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Protocol

from target_pipelines.api.errors import DeliveryStopped, TooManyRejected
from target_pipelines.singer.unreadable import UNKNOWN_STREAM

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from target_pipelines.acknowledgements.staged_dead_letters import StagedDeadLetters
    from target_pipelines.acknowledgements.stream_failures import StreamFailures
    from target_pipelines.api.settings import TargetSettings

_MIN_REJECTED = 10
"""Fewer rejected rows never fail a stream."""


class RejectionKeeper(Protocol):
    """Keeps the dead letters of one destination."""

    def add(self, stream: str, epoch: int, lines: bytes, reasons: Sequence[str]) -> None:
        """Keep dead letters, as lines, of a stream that has not failed. Raises PipelinesError."""


class RejectedRows:
    """The rejected rows of one destination, by stream; safe to use from many threads."""

    def __init__(
        self,
        dead_letters: StagedDeadLetters,
        failures: StreamFailures,
        settings: TargetSettings,
        count_read: Callable[[str], int],
    ) -> None:
        self.dead_letters = dead_letters
        self._failures = failures
        self._max_ratio = settings.max_rejected_ratio
        self._stops_at_once = settings.on_rejected == "stop"
        self._count_read = count_read
        self._lock = threading.Lock()
        self._reasons: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def add(self, stream: str, epoch: int, lines: bytes, reasons: Sequence[str]) -> None:
        """Stage dead letters; the stream fails if there are too many or they cannot be written.

        Raises the error if the run must stop.
        """
        if stream in self._failures:
            return
        try:
            self.dead_letters.add(stream, epoch, lines)
            self._check(stream, reasons)
        except (DeliveryStopped, TooManyRejected) as error:
            self._failures.fail(stream, error)

    def _check(self, stream: str, reasons: Sequence[str]) -> None:
        with self._lock:
            counts = self._reasons[stream]
            counts.update(reasons)
            rejected, ((reason, _),) = counts.total(), counts.most_common(1)
        if self._stops_at_once:
            raise TooManyRejected(
                f'Stream "{stream}": a row was rejected, and `on_rejected` is stop. {reason} The '
                "bookmark stays, and there is no dead letter. Correct the query or the mapping."
            )
        read = self._count_read("" if stream == UNKNOWN_STREAM else stream)
        if rejected >= _MIN_REJECTED and rejected > read * self._max_ratio:
            raise TooManyRejected(
                f'Stream "{stream}": {rejected:,} of {read:,} rows were rejected, more than '
                f"`max_rejected_ratio` ({self._max_ratio:g}) allows. Most often: {reason} The "
                "bookmark stays, and there are no dead letters. Correct the query or the mapping."
            )
