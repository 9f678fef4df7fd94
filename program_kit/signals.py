"""The signals that ask a program to stop, and their exit codes."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def on_stop_signals(handle: Callable[[int], object]) -> None:
    """Call `handle` with the number of each stop signal.

    Does nothing outside the main thread, which alone may set signal handlers.
    """
    if threading.current_thread() is threading.main_thread():
        for number in STOP_SIGNALS:
            signal.signal(number, lambda received, _frame: handle(received))


def record_stop_signals(stop: Callable[[], object]) -> list[int]:
    """Call `stop` on each stop signal; the list collects the numbers received."""
    received: list[int] = []

    def handle(number: int) -> None:
        received.append(number)
        stop()

    on_stop_signals(handle)
    return received


def signal_exit_code(signal_number: int) -> int:
    """The exit code that a shell reports for a program ended by a signal."""
    return 128 + signal_number


def signal_name(signal_number: int) -> str:
    """The name of a signal, for a message."""
    name = signal.Signals(signal_number).name
    return f"{name} (Ctrl-C)" if signal_number == signal.SIGINT else name


def is_signal_exit_code(exit_code: int) -> bool:
    """Whether an exit code stands for a signal."""
    return exit_code > signal_exit_code(0)
