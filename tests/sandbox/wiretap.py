"""A relay between a client and a server that records the bytes on the network."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.sandbox.drivers import Listening


class Wiretap:
    """Relays one connection to a server; a context manager."""

    def __init__(self, server: Listening) -> None:
        self._server_port = server.port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._seen = bytearray()
        self._thread = threading.Thread(target=self._relay, daemon=True)

    def __enter__(self) -> Wiretap:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._listener.close()

    def saw(self, text: str) -> bool:
        """Whether a text was sent in the clear, in either direction."""
        return self.saw_bytes(text.encode("utf-16-le"))

    def saw_bytes(self, data: bytes) -> bool:
        """Whether these bytes were sent."""
        return data in self._seen

    def saw_password(self, password: str) -> bool:
        """Whether a login was sent without encryption; its password is merely obfuscated."""
        data = password.encode("utf-16-le")
        obscured = bytes((((byte << 4) | (byte >> 4)) & 0xFF) ^ 0xA5 for byte in data)
        return self.saw_bytes(obscured)

    def _relay(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(("127.0.0.1", self._server_port))
        with client, server:
            responses = threading.Thread(target=self._copy, args=(server, client), daemon=True)
            responses.start()
            self._copy(client, server)
            responses.join()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                self._seen += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # one side has closed the connection
