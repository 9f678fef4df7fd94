"""An HTTP server that only answers 200: so that the receiver is not what is measured."""

from __future__ import annotations

import multiprocessing
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
_HEAD_END = b"\r\n\r\n"
_BUFFER_BYTES = 1024 * 1024


@contextmanager
def running_sink(latency_seconds: float = 0) -> Iterator[str]:
    """Serve in a process of its own, every answer so much later; yields the base URL."""
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
        threading.Thread(target=_answer_all, args=(connected, latency_seconds), daemon=True).start()


def _answer_all(connected: socket.socket, latency_seconds: float) -> None:
    buffer = bytearray(_BUFFER_BYTES)
    with connected:
        while _skip_request(connected, buffer):
            if latency_seconds:
                time.sleep(latency_seconds)
            connected.sendall(_ANSWER)


def _skip_request(connected: socket.socket, buffer: bytearray) -> bool:
    """Read a request to its end; False when the client is gone."""
    head = b""
    while _HEAD_END not in head:
        chunk = connected.recv(64 * 1024)
        if not chunk:
            return False
        head += chunk
    head, _, begun = head.partition(_HEAD_END)
    left = _content_length(head) - len(begun)
    while left > 0:
        count = connected.recv_into(buffer, min(left, len(buffer)))
        if not count:
            return False
        left -= count
    return True


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
