"""Reads a client's requests in a thread, so that ATTENTION is noticed during a response.

The session takes requests from the queue. ATTENTION ([MS-TDS] 2.2.1.7) during a response
interrupts it; one that arrives later is queued as a request and only acknowledged.
"""

from __future__ import annotations

import queue
import ssl
import threading
from typing import TYPE_CHECKING

from sandbox.sql_server.transport.channel import ConnectionEnded
from sandbox.sql_server.transport.packets import Message, PacketType, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.sql_server.transport.channel import Channel


class RequestQueue:
    """The requests of one client, in order.

    `interrupted` is set once the client no longer wants the running response: it sent ATTENTION
    or disconnected.
    """

    def __init__(self, channel: Channel, cancel: Callable[[], None]) -> None:
        self.interrupted = threading.Event()
        self._channel = channel
        self._cancel = cancel
        self._requests: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._is_responding = False
        self._thread = threading.Thread(target=self._listen, name="tds-requests", daemon=True)

    def start(self) -> None:
        """Start reading."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the reading thread, after the channel was shut down."""
        self._thread.join()

    def next_request(self) -> Message | None:
        """Wait for the next request; None when the client has disconnected."""
        return self._requests.get()

    def finish_response(self) -> bool:
        """End the response; True if it must acknowledge an ATTENTION."""
        with self._lock:
            self._is_responding = False
            return self.interrupted.is_set()

    def _listen(self) -> None:
        try:
            while True:
                self._deliver(self._channel.read_message())
        except (ConnectionEnded, ProtocolError, ssl.SSLError):
            with self._lock:
                self._interrupt()
            self._requests.put(None)

    def _deliver(self, message: Message) -> None:
        with self._lock:
            if message.type == PacketType.ATTENTION and self._is_responding:
                self._interrupt()
                return
            self._is_responding = True
            self.interrupted.clear()
        self._requests.put(message)

    def _interrupt(self) -> None:
        self.interrupted.set()
        if self._is_responding:
            self._cancel()
