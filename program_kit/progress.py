"""Reports the progress of a stream: to the parent that shows it, or in the log of a terminal."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from program_kit.events import PROGRESS_SECONDS, is_progress_wanted, send_progress

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

_LOG_SECONDS = 5.0


class Progress:
    """Says how many rows of a stream were written, how fast, and of how many in all.

    Silent if nobody looks: neither a parent nor a terminal.
    """

    def __init__(
        self,
        stream: str,
        logger: logging.Logger | logging.LoggerAdapter[logging.Logger],
        *,
        tells_parent: bool = False,
        before: int = 0,
        total: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`before` are the rows that the run wrote earlier; `total`, if known, has them, too."""
        self._stream = stream
        self._logger = logger
        self._before = before
        self._total = total
        self._clock = clock
        self._started = self._last = clock()
        self._has_parent = tells_parent and is_progress_wanted()
        self._is_terminal = sys.stderr.isatty()

    def show(self, rows: int) -> None:
        """Report the number of rows written so far, if the last report is old enough."""
        if not (self._has_parent or self._is_terminal):
            return
        now = self._clock()
        if now - self._last < (PROGRESS_SECONDS if self._has_parent else _LOG_SECONDS):
            return
        self._last = now
        if self._has_parent:
            rows += self._before
            send_progress({"sync": self._stream, "rows": rows, "total": self._total})
            return
        seconds = now - self._started
        self._logger.info(
            "stream=%s rows=%d rows_per_second=%.0f seconds=%.0f",
            self._stream,
            rows,
            rows / seconds,
            seconds,
        )
