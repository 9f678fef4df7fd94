"""A deadline for a whole attempt; a socket's own timeout restarts with every byte."""

from __future__ import annotations

import contextlib
import math
import socket
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class AttemptEnded(TimeoutError):  # noqa: N818 - reads as what happened
    """The attempt may not go on: it took too long, or the run stops."""


class Deadline:
    """Ends the attempts of one sender that take too long, whatever they wait for.

    One thread watches them all: a timer for each request would cost more than the request.

    Attributes:
        is_over: whether the last `limit` expired.
    """

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._seconds = seconds
        self._end = math.inf
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._watcher: threading.Thread | None = None
        self._stopped = False
        self._socket: socket.socket | None = None

    @contextlib.contextmanager
    def limit(self) -> Iterator[None]:
        """Limit the block's duration: at the deadline its connection is cut and it raises."""
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, name="deadline", daemon=True)
            self._watcher.start()
        self.is_over = False
        self._end = time.monotonic() + self._seconds
        try:
            self.check()
            yield
        finally:
            with self._lock:  # no later block's connection is shut down
                self._end = math.inf

    def check(self) -> None:
        """Raise AttemptEnded if the block's time is over, or `stop` was called."""
        if self.is_over or self._stopped:
            raise AttemptEnded("the attempt has ended")

    def watch(self, connected: socket.socket) -> None:
        """Cut this connection at the deadline, not one before it. Raises AttemptEnded.

        It is duplicated: TLS takes the socket over, and a response that ends with the connection
        hides it.
        """
        own = connected.dup()
        with self._lock:
            self._release()
            self._socket = own
        self.check()

    def release(self) -> None:
        """The connection is closed, and need not be cut."""
        with self._lock:
            self._release()

    def _release(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def stop(self) -> None:
        """Begin nothing more: no block, and no request on a connection that opens meanwhile."""
        self._stopped = True

    def close(self) -> None:
        """No block will follow. Idempotent."""
        self._closed.set()
        self.release()

    def _watch(self) -> None:
        """Enforce deadlines; wakes often enough to see blocks that begin meanwhile."""
        wait_seconds = self._seconds
        while not self._closed.wait(wait_seconds):
            with self._lock:
                left_seconds = self._end - time.monotonic()
                if left_seconds <= 0:
                    self._cut()
                    self._end = math.inf
            wait_seconds = min(left_seconds, self._seconds) if left_seconds > 0 else self._seconds

    def _cut(self) -> None:
        self.is_over = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
