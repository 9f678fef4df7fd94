"""Runs a driver's call with a timeout, without blocking signals.

A driver's own timeouts do not cover all of its waits: not the server's side of the TLS handshake,
nor the rest of a response that has begun (seen with ODBC Driver 18 and with mssql-python). A call
that hangs is left to its thread; the connection ends with the process.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


def call_with_timeout(call: Callable[[], _T], seconds: float) -> _T:
    """What the call returns, or raises. Raises TimeoutError if it takes longer."""
    results: queue.SimpleQueue[Callable[[], _T]] = queue.SimpleQueue()

    def run() -> None:
        try:
            result = call()
        except BaseException as raised:  # noqa: BLE001 - raised again in the calling thread
            error = raised
            results.put(lambda: _raise(error))
        else:
            results.put(lambda: result)

    threading.Thread(target=run, daemon=True).start()
    try:
        get_result = results.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    return get_result()


def _raise(error: BaseException) -> NoReturn:
    raise error
