"""Lets signals stop a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from program_kit.signals import on_stop_signals

if TYPE_CHECKING:
    from collections.abc import Callable


def stop_on_signals(stop: Callable[[], None]) -> list[int]:
    """Call `stop` on each stop signal; the list collects the numbers received."""
    received: list[int] = []

    def handle(number: int) -> None:
        received.append(number)
        stop()

    on_stop_signals(handle)
    return received
