"""Runs a driver's call with a timeout, without blocking signals.

A driver's own timeouts do not cover all of its waits: not the server's side of the TLS handshake,
nor the rest of a response that has begun (seen with ODBC Driver 18 and with mssql-python). A call
that hangs is left to its thread; the connection ends with the process.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Generic, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


class PendingCall(Generic[_T]):
    """A call that runs in a thread of its own."""

    def __init__(self, call: Callable[[], _T]) -> None:
        self._call = call
        self._results: queue.SimpleQueue[Callable[[], _T]] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def result(self, seconds: float) -> _T:
        """What the call returns, or raises. Raises TimeoutError if it takes longer; ask again."""
        try:
            get_result = self._results.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError from None
        return get_result()

    def _run(self) -> None:
        try:
            result = self._call()
        except BaseException as raised:  # noqa: BLE001 - raised again in the calling thread
            error = raised
            self._results.put(lambda: _raise(error))
        else:
            self._results.put(lambda: result)


def call_with_timeout(call: Callable[[], _T], seconds: float) -> _T:
    """What the call returns, or raises. Raises TimeoutError if it takes longer."""
    return PendingCall(call).result(seconds)


def _raise(error: BaseException) -> NoReturn:
    raise error
