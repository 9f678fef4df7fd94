"""PRELOGIN: the first message of both sides, which negotiates encryption.

[MS-TDS] 2.2.6.5. A table of (token, offset, length), terminated by 0xFF, then the options' data.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import TYPE_CHECKING, Literal

from sandbox.sql_server.token_stream.tokens import SERVER_VERSION
from sandbox.sql_server.transport.packets import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping

EncryptionMode = Literal["optional", "off", "required"]
_ENTRY = struct.Struct(">BHH")
_TERMINATOR = 0xFF


class Option(IntEnum):
    """The options that this server responds to."""

    VERSION = 0x00
    ENCRYPTION = 0x01
    INSTANCE = 0x02
    THREAD_ID = 0x03
    MARS = 0x04
    TRACE_ID = 0x05


class Encryption(IntEnum):
    """Values of the ENCRYPTION option."""

    OFF = 0x00
    ON = 0x01
    NOT_SUPPORTED = 0x02
    REQUIRED = 0x03


def parse_prelogin(payload: bytes) -> dict[int, bytes]:
    """Option token → data, in the order sent.

    Raises:
        ProtocolError: the option table or an option lies outside the message.
    """
    options: dict[int, bytes] = {}
    position = 0
    try:
        while payload[position] != _TERMINATOR:
            token, offset, length = _ENTRY.unpack_from(payload, position)
            if offset + length > len(payload):
                raise ProtocolError(f"PRELOGIN option {token} lies outside the message")
            options[token] = payload[offset : offset + length]
            position += _ENTRY.size
    except (IndexError, struct.error) as error:
        raise ProtocolError("the option table of PRELOGIN is not terminated") from error
    return options


def build_prelogin(options: Mapping[int, bytes]) -> bytes:
    """The message with these options, in this order."""
    offset = len(options) * _ENTRY.size + 1
    table, data = b"", b""
    for token, value in options.items():
        table += _ENTRY.pack(token, offset + len(data), len(value))
        data += value
    return table + bytes([_TERMINATOR]) + data


def negotiate_encryption(requested: Mapping[int, bytes], mode: EncryptionMode) -> Encryption:
    """The server's ENCRYPTION value: the table in [MS-TDS] 2.2.6.5.

    OFF on both sides still encrypts the login packet, and only that.
    """
    client = (requested.get(Option.ENCRYPTION) or bytes([Encryption.NOT_SUPPORTED]))[0]
    if mode == "off":
        return Encryption.NOT_SUPPORTED
    if client in (Encryption.ON, Encryption.REQUIRED):
        return Encryption.ON
    if mode == "required":
        return Encryption.REQUIRED
    return Encryption.OFF if client == Encryption.OFF else Encryption.NOT_SUPPORTED


def prelogin_response(requested: Mapping[int, bytes], encryption: Encryption) -> bytes:
    """The server's PRELOGIN: the requested options, with MARS off."""
    values = {
        Option.VERSION: struct.pack(">BBHH", *SERVER_VERSION, 0),
        Option.ENCRYPTION: bytes([encryption]),
        Option.INSTANCE: b"\x00",
        Option.THREAD_ID: b"",
        Option.MARS: b"\x00",
        Option.TRACE_ID: b"",
    }
    wanted = {*requested, Option.VERSION, Option.ENCRYPTION}
    return build_prelogin({token: data for token, data in values.items() if token in wanted})
