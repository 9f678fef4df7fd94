"""What follows from a stop signal: nothing new begins, and the process ends within a grace."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

from program_kit.signals import signal_exit_code, signal_name
from target_pipelines.api.errors import Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GRACE_SECONDS = 20.0
"""How long a run may take to end after a signal; requests in flight need at most five."""

logger = logging.getLogger(__name__)


class Interruption:
    """Whether a signal asked this process to stop."""

    def __init__(self) -> None:
        self._signal: int | None = None
        # A signal handler may interrupt itself, and this queue is one that it may use even then.
        self._noted: SimpleQueue[int | None] = SimpleQueue()

    def note(self, number: int) -> None:
        """Remember a signal; safe in a signal handler."""
        self._signal = self._signal or number
        self._noted.put(number)

    def check(self) -> None:
        """Raise Interrupted after a signal, in any thread."""
        if self._signal is not None:
            raise Interrupted(self._signal)

    @contextlib.contextmanager
    def watched(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Call `interrupt` at once when a signal comes during the block, whatever it waits for.

        The process is ended if the block does not end within the grace: a plugin may not return.
        """
        ended = threading.Event()
        watcher = threading.Thread(
            target=self._watch, args=(interrupt, ended), name="signals", daemon=True
        )
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            self._noted.put(None)

    def _watch(self, interrupt: Callable[[], None], ended: threading.Event) -> None:
        number = self._noted.get()
        if number is None:
            return
        interrupt()
        if ended.wait(GRACE_SECONDS):
            return
        logger.error(
            "The run did not end within %.0f s after %s, so it is ended now: a plugin or a file "
            "system does not answer. The states that were printed are right.",
            GRACE_SECONDS,
            signal_name(number),
        )
        os._exit(signal_exit_code(number))
