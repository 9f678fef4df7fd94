"""The signals that end a run."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def catch_stop_signals(stop: Callable[[], None]) -> list[int]:
    """Call `stop` on SIGINT, SIGTERM and SIGHUP; the list collects the numbers received."""
    received: list[int] = []

    def handle(number: int, _: object) -> None:
        received.append(number)
        stop()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handle)
    return received
