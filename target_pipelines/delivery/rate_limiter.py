"""Limits the request rate over all connections of a destination."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class RateLimiter:
    """Reserves times that are `1 / requests_per_second` apart; None means no limit."""

    def __init__(
        self, requests_per_second: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval = 1 / requests_per_second if requests_per_second else 0.0
        self._clock = clock
        self._next = clock()
        self._lock = threading.Lock()

    def reserve(self) -> float:
        """Reserve the next time; returns the seconds until then."""
        with self._lock:
            now = self._clock()
            reserved = max(self._next, now)
            self._next = reserved + self._interval
            return reserved - now
