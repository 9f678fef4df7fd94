"""Reads blocks in a thread, a bounded number ahead of their consumer.

A driver's call blocks in native code, where Python cannot handle signals. The main thread waits on
a queue instead, so a signal is handled at once, and the next block is fetched while one is encoded.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from time import monotonic as clock
from typing import TYPE_CHECKING

from tap_mssql_query.errors import QueryFailed

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import pyarrow as pa

_BLOCKS_AHEAD = 2
_LARGE_BYTES = 16 * 1024 * 1024
"""After a block that is larger, none is read ahead."""
_CLOSE_SECONDS = 1.0


class _End:
    """The last item of the queue: the error that ended the reading, or None."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def prefetch(
    blocks: Iterator[pa.RecordBatch], *, seconds: float | None = None
) -> Generator[pa.RecordBatch, None, None]:
    """Yield the same blocks, and raise the same error at the end.

    Raises QueryFailed if one of them takes longer than `seconds`.

    Closing the generator early waits briefly for the block that is being fetched. A thread that
    hangs in its driver is left behind: neither driver can safely cancel a statement from another
    thread (pyodbc crashed now and then), and the connection ends with the process.
    """
    ready: queue.Queue[pa.RecordBatch | _End] = queue.Queue(maxsize=_BLOCKS_AHEAD)
    stopped = threading.Event()
    reader = threading.Thread(target=_fill, args=(ready, blocks, stopped), daemon=True)
    reader.start()
    try:
        while not isinstance(item := _take(ready, seconds), _End):
            yield item
            del item  # while the next one is fetched
            ready.task_done()
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        _drain(ready, until=reader, deadline=clock() + _CLOSE_SECONDS)


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
            is_large = block.nbytes > _LARGE_BYTES
            del block  # while the next one is fetched
            if is_large:
                ready.join()
    except BaseException as error:  # noqa: BLE001 - raised again in the consumer's thread
        end = _End(error)
    ready.put(end)


def _drain(
    ready: queue.Queue[pa.RecordBatch | _End], *, until: threading.Thread, deadline: float
) -> None:
    """Make room in the queue until the thread has ended, or the deadline has passed."""
    while until.is_alive() and clock() < deadline:
        with contextlib.suppress(ValueError):  # all were taken
            ready.task_done()
        with contextlib.suppress(queue.Empty):
            ready.get(timeout=0.05)
