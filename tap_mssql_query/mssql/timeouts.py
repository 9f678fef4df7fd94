"""Waits for a driver's call, but not for ever, and not deaf to signals.

A driver's own time limits leave out some of its waits: that for the server's side of the TLS
handshake, and that for the rest of an answer which has begun (seen with ODBC Driver 18 and with
mssql-python). A call that hangs is left to its thread; the end of the process disconnects.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


def wait_for(call: Callable[[], _T], seconds: float) -> _T:
    """What the call returns, or what it raises. Raises TimeoutError if it takes longer."""
    ends: queue.SimpleQueue[Callable[[], _T]] = queue.SimpleQueue()

    def run() -> None:
        try:
            result = call()
        except BaseException as raised:  # noqa: BLE001 - handed over whole to who waits
            error = raised
            ends.put(lambda: _raise(error))
        else:
            ends.put(lambda: result)

    threading.Thread(target=run, daemon=True).start()
    try:
        end = ends.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    return end()


def _raise(error: BaseException) -> NoReturn:
    raise error
