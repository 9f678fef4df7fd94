"""Reads the bytes of a request."""

from __future__ import annotations

from sandbox.sql_server.transport.packets import ProtocolError


class ByteReader:
    """Reads a request from start to end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    @property
    def at_end(self) -> bool:
        """Whether all bytes are read."""
        return self.position >= len(self._data)

    def take(self, size: int) -> bytes:
        """The next bytes."""
        start, self.position = self.position, self.position + size
        if size < 0 or self.position > len(self._data):
            raise ProtocolError("a request ends within a value")
        return self._data[start : self.position]

    def number(self, size: int) -> int:
        """An unsigned little-endian number."""
        return int.from_bytes(self.take(size), "little")

    def short_text(self) -> str:
        """B_VARCHAR."""
        return self.take(2 * self.number(1)).decode("utf-16-le", "surrogatepass")

    def long_text(self) -> str:
        """US_VARCHAR."""
        return self.take(2 * self.number(2)).decode("utf-16-le", "surrogatepass")
