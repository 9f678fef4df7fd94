"""Encodes the tokens of a response: [MS-TDS] 2.2.7. Columns and rows are in `rows.py`."""

from __future__ import annotations

import struct
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING

from sandbox.sql_server.data_types.wire_type import long_text, short_text
from sandbox.sql_server.results import Message, SqlError

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVER_NAME = "SANDBOX"
SERVER_VERSION = (16, 0, 1000)
"""SQL Server 2022 RTM, as announced in PRELOGIN and LOGINACK."""

TDS_7_4 = 0x74000004
TDS_8 = 0x08000000


class Token(IntEnum):
    """The first byte of a token."""

    RETURN_STATUS = 0x79
    COLUMN_METADATA = 0x81
    ERROR = 0xAA
    INFO = 0xAB
    RETURN_VALUE = 0xAC
    LOGIN_ACKNOWLEDGED = 0xAD
    FEATURE_ACKNOWLEDGED = 0xAE
    ROW = 0xD1
    NULL_BITMAP_ROW = 0xD2
    ENVIRONMENT_CHANGE = 0xE3
    DONE = 0xFD
    DONE_PROCEDURE = 0xFE
    DONE_IN_PROCEDURE = 0xFF


class Done(IntFlag):
    """Status of the DONE tokens: [MS-TDS] 2.2.7.6."""

    FINAL = 0x000
    MORE = 0x001
    ERROR = 0x002
    COUNT = 0x010
    ATTENTION = 0x020
    SERVER_ERROR = 0x100


class Change(IntEnum):
    """Types of ENVCHANGE: [MS-TDS] 2.2.7.9."""

    DATABASE = 1
    LANGUAGE = 2
    PACKET_SIZE = 4
    COLLATION = 7
    BEGIN_TRANSACTION = 8
    COMMIT_TRANSACTION = 9
    ROLLBACK_TRANSACTION = 10
    RESET_ACKNOWLEDGED = 18


COMMAND_SELECT = 0xC1
COMMAND_EXECUTE = 0xE0


def _token(token: Token, body: bytes) -> bytes:
    return struct.pack("<BH", token, len(body)) + body


def done(
    token: Token,
    status: Done,
    *,
    command: int = 0,
    count: int | None = None,
) -> bytes:
    """DONE, DONEPROC or DONEINPROC; a count sets the status bit that makes it valid."""
    if count is not None:
        status |= Done.COUNT
    return struct.pack("<BHHQ", token, status, command, count or 0)


def error(problem: SqlError) -> bytes:
    """ERROR, of any severity."""
    return _token(
        Token.ERROR,
        _notice(problem.number, problem.state, problem.severity, problem.message, problem.line),
    )


def info(message: Message) -> bytes:
    """INFO: severity below 11."""
    return _token(
        Token.INFO, _notice(message.number, message.state, message.severity, message.text, 1)
    )


def _notice(number: int, state: int, severity: int, text: str, line: int) -> bytes:
    return (
        struct.pack("<iBB", number, state, severity)
        + long_text(text)
        + short_text(SERVER_NAME)
        + short_text("")  # no procedure: the batch itself
        + struct.pack("<I", line)
    )


def change_text(change: Change, new: str, old: str) -> bytes:
    """ENVCHANGE of a name: database, language, packet size."""
    return _token(Token.ENVIRONMENT_CHANGE, bytes([change]) + short_text(new) + short_text(old))


def change_bytes(change: Change, new: bytes = b"", old: bytes = b"") -> bytes:
    """ENVCHANGE of bytes: collation, transaction descriptors, reset."""
    body = bytes([change, len(new)]) + new + bytes([len(old)]) + old
    return _token(Token.ENVIRONMENT_CHANGE, body)


def login_acknowledged(tds_version: int = TDS_7_4) -> bytes:
    """LOGINACK: T-SQL interface, the TDS version in use, the program and its version."""
    body = (
        b"\x01"
        + struct.pack(">I", tds_version)
        + short_text("Microsoft SQL Server\0\0")
        + struct.pack(">BBH", *SERVER_VERSION)
    )
    return _token(Token.LOGIN_ACKNOWLEDGED, body)


def features_acknowledged(features: Mapping[int, bytes]) -> bytes:
    """FEATUREEXTACK: feature → its acknowledgement; no token without features."""
    if not features:
        return b""
    body = b"".join(
        struct.pack("<BI", feature, len(data)) + data for feature, data in features.items()
    )
    return bytes([Token.FEATURE_ACKNOWLEDGED]) + body + b"\xff"


def return_status(value: int = 0) -> bytes:
    """RETURNSTATUS of a procedure."""
    return struct.pack("<Bi", Token.RETURN_STATUS, value)


def database_changed(new: str, old: str) -> bytes:
    """ENVCHANGE and message 5701, as SQL Server sends them on login and USE."""
    text = f"Changed database context to '{new}'."
    return change_text(Change.DATABASE, new, old) + info(Message(5701, text, state=2))


def language_changed(new: str, old: str) -> bytes:
    """ENVCHANGE and message 5703, for the language."""
    text = f"Changed language setting to {new}."
    return change_text(Change.LANGUAGE, new, old) + info(Message(5703, text))
