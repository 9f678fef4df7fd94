"""Reads blocks in a thread, a bounded number of them ahead of their consumer.

A driver's call blocks in native code, deaf to signals; here the main thread waits on a queue
instead, so that a signal is heard at once, and the next block is fetched while one is encoded.
"""

from __future__ import annotations

import queue
import threading
from time import monotonic as clock
from typing import TYPE_CHECKING

from tap_mssql_query.errors import QueryFailed

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import pyarrow as pa

_BLOCKS_AHEAD = 2
_CLOSE_SECONDS = 1.0


class _End:
    """The last item of the queue: the error that ended the reading, or None."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def read_ahead(
    blocks: Iterator[pa.RecordBatch], *, seconds: float | None = None
) -> Generator[pa.RecordBatch, None, None]:
    """The same blocks and the same error at the end.

    Raises QueryFailed if one of them takes longer than so many seconds to come.

    Closing the iterator early lets the block that is being fetched be the last, and gives it a
    moment. A reader that hangs in its driver is left there: no driver's cancelling is safe to call
    from another thread (pyodbc's crashed now and then), and the end of the process disconnects.
    """
    ready: queue.Queue[pa.RecordBatch | _End] = queue.Queue(maxsize=_BLOCKS_AHEAD)
    stopped = threading.Event()
    reader = threading.Thread(target=_fill, args=(ready, blocks, stopped), daemon=True)
    reader.start()
    try:
        while not isinstance(item := _take(ready, seconds), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        _empty(ready, until=reader, deadline=clock() + _CLOSE_SECONDS)


def _take(
    ready: queue.Queue[pa.RecordBatch | _End], seconds: float | None
) -> pa.RecordBatch | _End:
    try:
        return ready.get(timeout=seconds)
    except queue.Empty:
        message = "The server went silent: no rows within `query_timeout_seconds`."
        raise QueryFailed(message) from None


def _fill(
    ready: queue.Queue[pa.RecordBatch | _End],
    blocks: Iterator[pa.RecordBatch],
    stopped: threading.Event,
) -> None:
    end = _End(None)
    try:
        for block in blocks:
            if stopped.is_set():
                break
            ready.put(block)
    except BaseException as error:  # noqa: BLE001 - handed over whole to the consumer
        end = _End(error)
    ready.put(end)


def _empty(
    ready: queue.Queue[pa.RecordBatch | _End], *, until: threading.Thread, deadline: float
) -> None:
    """Make room until the reader has put its end, or it is too late."""
    while until.is_alive() and clock() < deadline:
        try:
            ready.get(timeout=0.05)
        except queue.Empty:
            continue
