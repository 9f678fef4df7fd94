"""Keeps requests below a rate, over all connections."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class RateLimiter:
    """Hands out moments that are at least `1 / requests_per_second` apart; None: no limit."""

    def __init__(
        self, requests_per_second: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval = 1 / requests_per_second if requests_per_second else 0.0
        self._clock = clock
        self._next = clock()
        self._lock = threading.Lock()

    def reserve(self) -> float:
        """Take the next moment; seconds until it comes."""
        with self._lock:
            now = self._clock()
            moment = max(self._next, now)
            self._next = moment + self._interval
            return moment - now
