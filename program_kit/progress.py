"""Logs the progress of a stream every few seconds if stderr is a terminal."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

_INTERVAL_SECONDS = 5.0


class Progress:
    """Logs rows, rows per second and elapsed time of a stream; silent without a terminal."""

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
        self._is_terminal = sys.stderr.isatty()

    def show(self, rows: int) -> None:
        """Log the number of rows written so far, if the last line is old enough."""
        now = self._clock()
        if not self._is_terminal or now - self._last < _INTERVAL_SECONDS:
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
