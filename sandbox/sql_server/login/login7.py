"""LOGIN7: user, database, client and requested features ([MS-TDS] 2.2.6.4)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.sql_server.transport.packets import (
    DEFAULT_PACKET_SIZE,
    MAX_PACKET_SIZE,
    MIN_PACKET_SIZE,
    ProtocolError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIXED = struct.Struct("<IIIIIIBBBBII")
_PAIR = struct.Struct("<HH")
_HOST, _USER, _PASSWORD, _PROGRAM, _EXTENSION, _LIBRARY = 36, 40, 44, 48, 56, 60
_LANGUAGE, _DATABASE = 64, 68
_HAS_EXTENSION = 0x10
_READ_ONLY_INTENT = 0x20
_NO_MORE_FEATURES = 0xFF

FEATURE_UTF8 = 0x0A


@dataclass(frozen=True, slots=True)
class Login:
    """A client's LOGIN7; the repr omits the password."""

    tds_version: int
    packet_size: int
    host: str
    user: str
    password: str = field(repr=False)
    program: str
    library: str
    language: str
    database: str
    read_only_intent: bool
    features: Mapping[int, bytes]


def parse_login(payload: bytes) -> Login:
    """Parse a LOGIN7 message.

    Raises:
        ProtocolError: a field lies outside the message.
    """
    try:
        return _parse(payload)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ProtocolError("a field of LOGIN7 lies outside the message") from error


def _parse(payload: bytes) -> Login:
    _, version, packet_size, _, _, _, _, _, type_flags, flags3, _, _ = _FIXED.unpack_from(payload)
    return Login(
        tds_version=version,
        packet_size=_clamp_packet_size(packet_size),
        host=_text(payload, _HOST),
        user=_text(payload, _USER),
        password=reveal_password(_characters(payload, _PASSWORD)),
        program=_text(payload, _PROGRAM),
        library=_text(payload, _LIBRARY),
        language=_text(payload, _LANGUAGE),
        database=_text(payload, _DATABASE),
        read_only_intent=bool(type_flags & _READ_ONLY_INTENT),
        features=_features(payload) if flags3 & _HAS_EXTENSION else {},
    )


def _clamp_packet_size(requested: int) -> int:
    """The packet size to use: 0 asks for the server's default ([MS-TDS] 2.2.6.4, PacketSize)."""
    if requested == 0:
        return DEFAULT_PACKET_SIZE
    return min(max(requested, MIN_PACKET_SIZE), MAX_PACKET_SIZE)


def _characters(payload: bytes, position: int) -> bytes:
    offset, length = _PAIR.unpack_from(payload, position)
    if offset + 2 * length > len(payload):
        raise IndexError(position)
    return payload[offset : offset + 2 * length]


def _text(payload: bytes, position: int) -> str:
    return _characters(payload, position).decode("utf-16-le")


def reveal_password(obscured: bytes) -> str:
    """Undo LOGIN7's obfuscation: XOR 0xA5, then swap the halves of every byte."""
    swapped = bytes(((byte ^ 0xA5) >> 4) | (((byte ^ 0xA5) & 0x0F) << 4) for byte in obscured)
    return swapped.decode("utf-16-le")


def _features(payload: bytes) -> dict[int, bytes]:
    offset, _ = _PAIR.unpack_from(payload, _EXTENSION)
    (position,) = struct.unpack_from("<I", payload, offset)
    features: dict[int, bytes] = {}
    while payload[position] != _NO_MORE_FEATURES:
        (length,) = struct.unpack_from("<I", payload, position + 1)
        features[payload[position]] = payload[position + 5 : position + 5 + length]
        position += 5 + length
    return features
