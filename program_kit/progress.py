"""Shows on a terminal how far a stream is: a line every few seconds. For both programs."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

_EVERY_SECONDS = 5.0


class Progress:
    """Rows, rows per second and elapsed time of a stream; silent where nobody looks."""

    def __init__(
        self,
        stream: str,
        logger: logging.Logger | logging.LoggerAdapter[logging.Logger],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._logger = logger
        self._clock = clock
        self._started = self._last = clock()
        self._is_watched = sys.stderr.isatty()

    def show(self, rows: int) -> None:
        """So many rows have been written."""
        now = self._clock()
        if not self._is_watched or now - self._last < _EVERY_SECONDS:
            return
        self._last = now
        seconds = now - self._started
        self._logger.info(
            "stream=%s rows=%d rows_per_second=%.0f seconds=%.0f",
            self._stream,
            rows,
            rows / seconds,
            seconds,
        )
