"""A deadline for a whole attempt; a socket's own timeout restarts with every byte."""

from __future__ import annotations

import contextlib
import math
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from target_pipelines.destinations.response_head import CompleteHeadResponse

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests


class Deadline:
    """Ends requests of one session that take too long, whatever they wait for.

    One thread watches them all: a timer for each request would cost more than the request.

    Attributes:
        is_over: whether the last `limit` expired.
    """

    def __init__(self, session: requests.Session, seconds: float) -> None:
        self.is_over = False
        self._seconds = seconds
        self._end = math.inf
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._watcher: threading.Thread | None = None
        self._connection: Any = None
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=1)
        adapter.poolmanager.pool_classes_by_scheme = {
            "http": self._watched(HTTPConnectionPool),
            "https": self._watched(HTTPSConnectionPool),
        }
        session.mount("http://", adapter)
        session.mount("https://", adapter)

    def _watched(self, pool_class: Any) -> type[HTTPConnectionPool]:
        """A pool class whose connections register with this deadline when they open."""
        deadline = self

        class Connection(pool_class.ConnectionCls):  # type: ignore[misc]
            response_class = CompleteHeadResponse

            def connect(self) -> None:
                super().connect()
                deadline._connection = self

        return type(pool_class.__name__, (pool_class,), {"ConnectionCls": Connection})

    @contextlib.contextmanager
    def limit(self) -> Iterator[None]:
        """Limit the block's duration: at the deadline its connection is cut and it raises."""
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, name="deadline", daemon=True)
            self._watcher.start()
        self.is_over = False
        self._end = time.monotonic() + self._seconds
        try:
            yield
        finally:
            with self._lock:  # no later block's connection is shut down
                self._end = math.inf

    def close(self) -> None:
        """No block will follow. Idempotent."""
        self._closed.set()

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
        opened = getattr(self._connection, "sock", None)
        if opened is not None:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
