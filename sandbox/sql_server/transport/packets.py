"""TDS packets: the 8-byte header, splitting messages into packets, assembling packets.

No sockets here. Every packet starts with type, status, length (header included, big-endian), SPID,
packet id and window: [MS-TDS] 2.2.3.1.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from functools import lru_cache

HEADER = struct.Struct(">BBHHBB")
DEFAULT_PACKET_SIZE = 4096
MIN_PACKET_SIZE = 512
MAX_PACKET_SIZE = 32767


class ProtocolError(Exception):
    """The peer violated the TDS protocol; the connection ends."""


class PacketType(IntEnum):
    """Types of messages: [MS-TDS] 2.2.3.1.1."""

    SQL_BATCH = 0x01
    RPC = 0x03
    TABULAR_RESULT = 0x04
    ATTENTION = 0x06
    TRANSACTION_MANAGER = 0x0E
    LOGIN7 = 0x10
    PRELOGIN = 0x12


class PacketStatus(IntFlag):
    """Status flags of a packet: [MS-TDS] 2.2.3.1.2."""

    NORMAL = 0x00
    END_OF_MESSAGE = 0x01
    IGNORE = 0x02
    RESET_CONNECTION = 0x08
    RESET_CONNECTION_KEEP_TRANSACTION = 0x10


@dataclass(frozen=True, slots=True)
class Message:
    """A complete message; `status` combines the flags of its packets."""

    type: int
    payload: bytes
    status: PacketStatus = PacketStatus.END_OF_MESSAGE


class MessageAssembler:
    """Assembles received bytes into messages, wherever the network split them."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._payload = bytearray()
        self._status = PacketStatus.NORMAL

    def feed(self, data: bytes) -> None:
        """Add received bytes."""
        self._received += data

    def next_message(self) -> Message | None:
        """The next complete message; None until more bytes are fed."""
        while (packet := self._next_packet()) is not None:
            packet_type, status, payload = packet
            self._payload += payload
            self._status |= status
            if status & PacketStatus.END_OF_MESSAGE:
                message = Message(packet_type, bytes(self._payload), self._status)
                self._payload.clear()
                self._status = PacketStatus.NORMAL
                return message
        return None

    def _next_packet(self) -> tuple[int, PacketStatus, bytes] | None:
        if len(self._received) < HEADER.size:
            return None
        packet_type, status, length, *_ = HEADER.unpack_from(self._received)
        if length < HEADER.size:
            raise ProtocolError(f"a packet header claims a length of {length} bytes")
        if len(self._received) < length:
            return None
        payload = bytes(self._received[HEADER.size : length])
        del self._received[:length]
        return packet_type, PacketStatus(status), payload


@lru_cache(maxsize=64)
def _full_headers(packet_type: int, packet_size: int, spid: int) -> tuple[bytes, ...]:
    return tuple(
        HEADER.pack(packet_type, PacketStatus.NORMAL, packet_size, spid, number, 0)
        for number in range(256)
    )


def cut_full_packets(
    data: bytes, packet_size: int, *, packet_type: int, spid: int, first_id: int
) -> tuple[bytes, int]:
    """Full packets, none of which ends the message, for `data` up to the last packet.

    Returns them as one block, and their number; each carries `packet_size` - 8 bytes.
    """
    payload_size = packet_size - HEADER.size
    count = (len(data) - 1) // payload_size if data else 0
    headers = _full_headers(packet_type, packet_size, spid)
    view = memoryview(data)
    parts: list[bytes | memoryview] = []
    for index in range(count):
        parts.append(headers[(first_id + index) & 0xFF])
        parts.append(view[index * payload_size : (index + 1) * payload_size])
    return b"".join(parts), count


def last_packet(data: bytes, *, packet_type: int, spid: int, packet_id: int) -> bytes:
    """The packet that ends a message."""
    header = HEADER.pack(
        packet_type,
        PacketStatus.END_OF_MESSAGE,
        HEADER.size + len(data),
        spid,
        packet_id & 0xFF,
        0,
    )
    return header + data


def frame_message(
    message_type: int, payload: bytes, packet_size: int = DEFAULT_PACKET_SIZE
) -> bytes:
    """A whole message as packets."""
    block, count = cut_full_packets(
        payload, packet_size, packet_type=message_type, spid=0, first_id=1
    )
    rest = payload[count * (packet_size - HEADER.size) :]
    return block + last_packet(rest, packet_type=message_type, spid=0, packet_id=1 + count)
