"""A deadline over a whole attempt: a socket's own timeout starts anew with every byte."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from target_pipelines.destinations.answer_head import WholeHeadResponse

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests


class Deadline:
    """Ends the requests of one session that take too long, whatever they are waiting for.

    Attributes:
        is_over: whether the last `limit` came to its end.
    """

    def __init__(self, session: requests.Session) -> None:
        self.is_over = False
        self._connection: Any = None
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=1)
        adapter.poolmanager.pool_classes_by_scheme = {
            "http": self._watched(HTTPConnectionPool),
            "https": self._watched(HTTPSConnectionPool),
        }
        session.mount("http://", adapter)
        session.mount("https://", adapter)

    def _watched(self, pool_class: Any) -> type[HTTPConnectionPool]:
        """A pool whose connections this deadline knows as soon as they are open."""
        deadline = self

        class Connection(pool_class.ConnectionCls):  # type: ignore[misc]
            response_class = WholeHeadResponse

            def connect(self) -> None:
                super().connect()
                deadline._connection = self

        return type(pool_class.__name__, (pool_class,), {"ConnectionCls": Connection})

    @contextlib.contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """Let the block take so long; then its connection is cut, which raises in the block."""
        self.is_over = False
        timer = threading.Timer(seconds, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _cut(self) -> None:
        self.is_over = True
        opened = getattr(self._connection, "sock", None)
        if opened is not None:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
