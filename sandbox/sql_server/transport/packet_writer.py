"""Sends a response as packets of the negotiated size while it is produced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.sql_server.transport.packets import (
    HEADER,
    PacketStatus,
    PacketType,
    cut_full_packets,
    last_packet,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SEND_BYTES = 128 * 1024
"""How many bytes to collect before cutting packets; large sends cost less per row."""


class PacketWriter:
    """Collects tokens, sends full packets as they fill up, and the last one at the end.

    `send` may be replaced during a response: that is how a fault truncates it.
    """

    def __init__(self, send: Callable[[bytes], None], packet_size: int, spid: int = 0) -> None:
        self.send = send
        self._packet_size = packet_size
        self._spid = spid
        self._pending: list[bytes | memoryview] = []
        self._pending_bytes = 0
        self._next_id = 1

    def write(self, data: bytes | memoryview) -> None:
        """Add tokens; sends full packets once enough bytes are collected."""
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes >= SEND_BYTES:
            self.send_full_packets()

    def send_full_packets(self) -> None:
        """Send the full packets and keep the rest, so that something is left for the last one."""
        data = b"".join(self._pending)
        block, count = cut_full_packets(
            data,
            self._packet_size,
            packet_type=PacketType.TABULAR_RESULT,
            spid=self._spid,
            first_id=self._next_id,
        )
        rest = data[count * (self._packet_size - HEADER.size) :]
        self._pending = [rest]
        self._pending_bytes = len(rest)
        self._next_id += count
        if block:
            self.send(block)

    def flush(self) -> None:
        """Send everything so far, in a partial packet that does not end the message."""
        self.send_full_packets()
        rest = b"".join(self._pending)
        self._pending, self._pending_bytes = [], 0
        if rest:
            header = HEADER.pack(
                PacketType.TABULAR_RESULT,
                PacketStatus.NORMAL,
                HEADER.size + len(rest),
                self._spid,
                self._next_id & 0xFF,
                0,
            )
            self._next_id += 1
            self.send(header + rest)

    def end(self) -> None:
        """Send the rest, in a packet that ends the message."""
        self.send_full_packets()
        rest = b"".join(self._pending)
        self._pending, self._pending_bytes = [], 0
        packet = last_packet(
            rest, packet_type=PacketType.TABULAR_RESULT, spid=self._spid, packet_id=self._next_id
        )
        self._next_id = 1
        self.send(packet)
