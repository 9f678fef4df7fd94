"""A client's socket as a channel of messages, in the clear or over TLS."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

from sandbox.sql_server.transport.packets import (
    Message,
    MessageAssembler,
    PacketType,
    frame_message,
)
from sandbox.sql_server.transport.tls import TlsLayer

if TYPE_CHECKING:
    import ssl

_RECEIVE_BYTES = 64 * 1024
_TLS_HANDSHAKE = b"\x16"


class ConnectionEnded(Exception):  # noqa: N818 - the normal end of a connection, not a failure
    """The client has disconnected, or the server is stopping."""


class Channel:
    """Reads messages and sends bytes; one thread may read while another sends."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connected
        self._assembler = MessageAssembler()
        self._tls: TlsLayer | None = None

    def read_message(self) -> Message:
        """Wait for the next message.

        Raises:
            ConnectionEnded: the connection is closed.
        """
        while (message := self._assembler.next_message()) is None:
            received = self._receive()
            self._assembler.feed(self._tls.decrypt(received) if self._tls else received)
        return message

    def _receive(self) -> bytes:
        try:
            received = self._socket.recv(_RECEIVE_BYTES)
        except OSError as error:
            raise ConnectionEnded from error
        if not received:
            raise ConnectionEnded
        return received

    def send(self, data: bytes) -> None:
        """Send packets.

        Raises:
            ConnectionEnded: the connection is closed.
        """
        try:
            self._socket.sendall(self._tls.encrypt(data) if self._tls else data)
        except OSError as error:
            raise ConnectionEnded from error

    def begins_with_tls(self) -> bool:
        """Peek at the client's first byte: a TLS ClientHello means TDS 8, Encrypt=strict."""
        try:
            return self._socket.recv(1, socket.MSG_PEEK) == _TLS_HANDSHAKE
        except OSError as error:
            raise ConnectionEnded from error

    def start_strict_tls(self, context: ssl.SSLContext) -> None:
        """Perform the TLS handshake before the first packet, as TDS 8 does."""
        layer = TlsLayer(context)
        finished = False
        while not finished:
            reply, finished = layer.handshake(self._receive())
            self.send(reply)
        self._tls = layer

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Perform the TLS handshake inside PRELOGIN packets; then everything is encrypted."""
        layer = TlsLayer(context)
        finished = False
        while not finished:
            reply, finished = layer.handshake(self.read_message().payload)
            if reply:
                self.send(frame_message(PacketType.PRELOGIN, reply))
        self._tls = layer

    def stop_tls(self) -> None:
        """Continue in the clear, as login-only encryption does after LOGIN7."""
        self._tls = None

    def shutdown(self) -> None:
        """Wake both threads: reading and sending raise ConnectionEnded."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
