"""A forwarding proxy on loopback: plain or with TLS, for http (forwarding) and https (CONNECT)."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator


class Proxy(socketserver.ThreadingTCPServer):
    """Passes bytes on, or answers CONNECT with `answer`, again and again if it `drips`.

    Attributes:
        used: how many connections went through it.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.context = context
        self.answer = b""
        self.drips = False
        self.used = 0
        self.stopping = threading.Event()
        scheme = "https" if context else "http"
        self.url = f"{scheme}://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore errors: clients disconnect."""


class _Handler(socketserver.BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        """Serve one connection."""
        if self.server.context is None:
            self._serve(self.request)
            return
        with self.server.context.wrap_socket(self.request, server_side=True) as client:
            self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        self.server.used += 1
        head = b""
        while b"\r\n\r\n" not in head:
            if not (data := client.recv(65_536)):
                return
            head += data
        method, target = head.split(b" ", 2)[:2]
        if self.server.answer and method == b"CONNECT":
            client.sendall(self.server.answer)
            while self.server.drips and not self.server.stopping.wait(0.05):
                client.sendall(b"X-Drip: 1\r\n")
            return
        if method == b"CONNECT":
            host, _, port = target.decode().partition(":")
        else:
            parts = urlsplit(target.decode())  # passed on as it is, which a server must accept
            host, port = str(parts.hostname), str(parts.port)
        with socket.create_connection((host, int(port))) as server:
            if method == b"CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                server.sendall(head)
            _pass_on(client, server)


def _pass_on(client: socket.socket, server: socket.socket) -> None:
    def back() -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65_536):
                client.sendall(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    thread = threading.Thread(target=back, daemon=True)
    thread.start()
    with contextlib.suppress(OSError):
        while data := client.recv(65_536):
            server.sendall(data)
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


@contextlib.contextmanager
def proxying(context: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    """A proxy, listening."""
    with Proxy(context) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield proxy
        finally:
            proxy.stopping.set()
            proxy.shutdown()
            thread.join()
