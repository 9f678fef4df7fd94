"""An HTTP server that responds 200 to every request, so that it is not the bottleneck."""

from __future__ import annotations

import multiprocessing
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
_HEAD_END = b"\r\n\r\n"
_BUFFER_BYTES = 1024 * 1024


@contextmanager
def running_sink(latency_seconds: float = 0) -> Iterator[str]:
    """Serve in a separate process, each response after this latency; yields the base URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    process = multiprocessing.Process(target=_serve, args=(listener, latency_seconds), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        process.terminate()
        process.join()
        listener.close()


def _serve(listener: socket.socket, latency_seconds: float) -> None:
    while True:
        connected, _ = listener.accept()
        threading.Thread(
            target=_respond_to_all, args=(connected, latency_seconds), daemon=True
        ).start()


def _respond_to_all(connected: socket.socket, latency_seconds: float) -> None:
    buffer = bytearray(_BUFFER_BYTES)
    with connected:
        while _skip_request(connected, buffer):
            if latency_seconds:
                time.sleep(latency_seconds)
            connected.sendall(_RESPONSE)


def _skip_request(connected: socket.socket, buffer: bytearray) -> bool:
    """Read a request to its end; False if the client closed the connection."""
    head = b""
    while _HEAD_END not in head:
        chunk = connected.recv(64 * 1024)
        if not chunk:
            return False
        head += chunk
    head, _, body_start = head.partition(_HEAD_END)
    remaining = _content_length(head) - len(body_start)
    while remaining > 0:
        count = connected.recv_into(buffer, min(remaining, len(buffer)))
        if not count:
            return False
        remaining -= count
    return True


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
