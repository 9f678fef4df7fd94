"""A TCP proxy on loopback whose connections fail as networks do."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

Direction = Literal["up", "down"]
Kind = Literal[
    "latency", "bandwidth", "reset", "close", "timeout", "slow close", "sliced", "limited data"
]
DIRECTIONS: tuple[Direction, ...] = ("up", "down")
KINDS: tuple[Kind, ...] = Kind.__args__  # type: ignore[attr-defined]  # the values of the Literal
_CHUNK_BYTES = 16 * 1024
_POLL_SECONDS = 0.02
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Toxic:
    """A fault of a connection, in one direction.

    Attributes:
        kind: `latency` and `bandwidth` delay the bytes; `reset` and `close` end both directions,
            with RST or FIN; `timeout` discards all further bytes; `slow close` delays the end of
            the stream; `sliced` sends a few bytes at a time; `limited data` ends this direction.
        direction: `up` from the client to the server, or `down`.
        after_bytes: how many bytes of this direction pass before the fault.
        seconds: the delay of `latency` and `slow close`.
        bytes_per_second: the rate of `bandwidth`.
        slice_bytes: the size of the slices of `sliced`.
    """

    kind: Kind
    direction: Direction
    after_bytes: int = 0
    seconds: float = 0.05
    bytes_per_second: int = 200_000
    slice_bytes: int = 7


class Proxy:
    """Listens on loopback and forwards to `port`; a context manager.

    Each toxic applies to one connection, in the order in which they are made; connections after
    the last toxic have no fault.
    """

    def __init__(self, port: int, *toxics: Toxic) -> None:
        self._target = ("127.0.0.1", port)
        self._toxics = list(toxics)
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._threads: list[threading.Thread] = []
        self._connections: list[_Connection] = []
        self.port: int = self._listener.getsockname()[1]

    @property
    def accepted(self) -> int:
        """The number of connections so far."""
        return len(self._connections)

    @property
    def affected(self) -> int:
        """The number of connections on which the fault has begun."""
        return sum(connection.is_affected.is_set() for connection in self._connections)

    def cut(self, number: int, *, silently: bool = False) -> None:
        """Reset a connection, in the order in which they were made, from 0.

        Silently: only for the server, as if packets to the client were dropped from now on.
        """
        connection = self._connections[number]
        if silently:
            connection.fall_silent()
        else:
            connection.close(with_reset=True)

    def __enter__(self) -> Proxy:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):  # wakes the thread that accepts
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections.copy():
            connection.close()
        for thread in self._threads:
            thread.join()

    def _start(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, name="proxy", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            toxic = self._toxics.pop(0) if self._toxics else None
            connection = _Connection(client, server, toxic, self._stopping)
            self._connections.append(connection)
            self._start(lambda c=connection: c.pump("up"))  # type: ignore[misc]
            self._start(lambda c=connection: c.pump("down"))  # type: ignore[misc]


class _Connection:
    """Both directions of one connection, and its fault."""

    def __init__(
        self,
        client: socket.socket,
        server: socket.socket,
        toxic: Toxic | None,
        stopping: threading.Event,
    ) -> None:
        self._ends = (client, server)
        self._toxic = toxic
        self._stopping = stopping
        self._closing = threading.Lock()
        self._is_silent = False
        self.is_affected = threading.Event()
        for end in self._ends:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def pump(self, direction: Direction) -> None:
        """Forward one direction until it ends."""
        source, sink = self._ends if direction == "up" else reversed(self._ends)
        toxic = self._toxic if self._toxic and self._toxic.direction == direction else None
        clean_bytes = toxic.after_bytes if toxic else 0
        with contextlib.suppress(OSError, ValueError):  # ValueError: the other pump has closed it
            while data := _receive(source):
                if self._is_silent:
                    continue
                if toxic is None:
                    sink.sendall(data)
                    continue
                sink.sendall(data[:clean_bytes])
                affected = data[clean_bytes:]
                clean_bytes = max(clean_bytes - len(data), 0)
                if affected:
                    self._apply(toxic, affected, sink)
            if toxic and toxic.kind == "slow close":
                self.is_affected.set()
                self._stopping.wait(toxic.seconds)
            if not self._is_silent:
                sink.shutdown(socket.SHUT_WR)

    def _apply(self, toxic: Toxic, data: bytes, sink: socket.socket) -> None:
        """Apply the fault to some bytes. Raises OSError if it ends the direction."""
        if toxic.kind == "slow close":
            sink.sendall(data)
            return
        self.is_affected.set()
        if toxic.kind == "latency":
            self._stopping.wait(toxic.seconds)
            sink.sendall(data)
        elif toxic.kind == "bandwidth":
            self._send_slices(data, toxic.bytes_per_second // 50, 0.02, sink)
        elif toxic.kind == "sliced":
            self._send_slices(data, toxic.slice_bytes, 0.0005, sink)
        elif toxic.kind == "limited data":
            sink.shutdown(socket.SHUT_WR)
            self._stopping.wait()
        elif toxic.kind in ("reset", "close"):
            self.close(with_reset=toxic.kind == "reset")
            raise ConnectionAbortedError

    def _send_slices(self, data: bytes, size: int, pause: float, sink: socket.socket) -> None:
        for start in range(0, len(data), max(size, 1)):
            sink.sendall(data[start : start + max(size, 1)])
            if self._stopping.wait(pause):
                return

    def fall_silent(self) -> None:
        """End the server's side; the client's stays open, and nothing passes any more."""
        self._is_silent = True
        with contextlib.suppress(OSError):
            self._ends[1].shutdown(socket.SHUT_RDWR)

    def close(self, *, with_reset: bool = False) -> None:
        """End both directions; a second call does nothing."""
        with self._closing:
            for end in self._ends:
                with contextlib.suppress(OSError):
                    if with_reset:
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    else:
                        end.shutdown(socket.SHUT_RDWR)
                end.close()


def _receive(source: socket.socket) -> bytes:
    """The next bytes; `select` first, because a blocked `recv` would delay the reset."""
    while not select.select([source], [], [], _POLL_SECONDS)[0]:
        continue
    return source.recv(_CHUNK_BYTES)
