"""Logs that a destination does not accept calls: at the first retry, then every 30 seconds.

One line speaks for all lanes of the destination, and one says when it accepts calls again.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from target_pipelines.api.calls import EncodedCall

INTERVAL_SECONDS = 30.0

logger = logging.getLogger(__name__)


class Outage:
    """The batches of a destination that are being retried; safe to use from many threads."""

    def __init__(
        self,
        name: str,
        *,
        max_retry_seconds: float,
        count_waiting: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
        interval_seconds: float = INTERVAL_SECONDS,
    ) -> None:
        self._name = name
        self._max_retry_seconds = max_retry_seconds
        self._count_waiting = count_waiting
        self._clock = clock
        self._interval_seconds = interval_seconds
        self._changed = threading.Condition()
        self._deadlines: dict[int, tuple[int, float]] = {}  # calls and deadline by batch
        self._reason = ""
        self._started = 0.0
        self._logged = float("-inf")
        self._is_logged = False
        self._is_watched = False

    def add(self, batch: Sequence[EncodedCall], reason: str, deadline: float) -> None:
        """A batch is about to be retried, at most until `deadline`."""
        with self._changed:
            if not self._deadlines:
                self._started = self._clock()
            self._deadlines[id(batch)] = len(batch), deadline
            self._reason = reason
            if not self._is_watched:
                self._is_watched = True
                threading.Thread(target=self._watch, daemon=True).start()
            self._changed.notify_all()

    def end_of(self, batch: Sequence[EncodedCall]) -> None:
        """A batch that was retried is accepted or rejected: the destination answers again."""
        with self._changed:
            self._deadlines.pop(id(batch), None)
            if not self._deadlines:
                self._log_end()

    def end(self) -> None:
        """The run stops, so that nothing is retried any more."""
        with self._changed:
            self._deadlines.clear()
            self._is_logged = False
            self._changed.notify_all()

    def _watch(self) -> None:
        """Log while batches are being retried. The lanes themselves may be waiting for responses.

        A destination that fails and recovers in quick succession is logged once per interval.
        """
        with self._changed:
            while self._deadlines:
                remaining = self._logged + self._interval_seconds - self._clock()
                if remaining <= 0:
                    self._log()
                else:
                    self._changed.wait(remaining)
            self._is_watched = False

    def _log(self) -> None:
        self._logged = self._clock()
        self._is_logged = True
        calls = sum(count for count, _ in self._deadlines.values())
        remaining = min(deadline for _, deadline in self._deadlines.values()) - self._logged
        logger.warning(
            'Destination "%s" does not accept calls: %s. Retrying %s with %s; %s queued. '
            "The run stops in %.0f s if this lasts (`max_retry_seconds`: %g).",
            self._name,
            self._reason,
            _count(len(self._deadlines), "batch", "batches"),
            _count(calls, "call", "calls"),
            _count(self._count_waiting(), "more call is", "more calls are"),
            max(remaining, 0.0),
            self._max_retry_seconds,
        )

    def _log_end(self) -> None:
        if self._is_logged:
            self._is_logged = False
            seconds = self._clock() - self._started
            logger.info('Destination "%s" accepts calls again, after %.0f s.', self._name, seconds)
        self._changed.notify_all()


def _count(number: int, singular: str, plural: str) -> str:
    return f"{number:,} {singular if number == 1 else plural}"
