"""The login handshake: PRELOGIN, TLS where agreed, LOGIN7, and the server's response."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.sql_server.data_types.collations import COLLATIONS, DEFAULT_COLLATION
from sandbox.sql_server.login.login7 import FEATURE_UTF8, Login, parse_login
from sandbox.sql_server.login.prelogin import (
    Encryption,
    EncryptionMode,
    negotiate_encryption,
    parse_prelogin,
    prelogin_response,
)
from sandbox.sql_server.results import SqlError
from sandbox.sql_server.token_stream import tokens
from sandbox.sql_server.token_stream.tokens import TDS_7_4, TDS_8, Change, Done, Token
from sandbox.sql_server.transport.packets import (
    DEFAULT_PACKET_SIZE,
    Message,
    PacketType,
    ProtocolError,
    frame_message,
)

if TYPE_CHECKING:
    import ssl

    from sandbox.sql_server.transport.channel import Channel


DEFAULT_LANGUAGE = "us_english"
_CANNOT_OPEN_DATABASE = 4060


def receive_login(channel: Channel, mode: EncryptionMode, context: ssl.SSLContext) -> Login:
    """Negotiate encryption and read the login.

    Raises:
        ProtocolError: the client sends something else.
        ConnectionEnded: the client rejects the encryption or the certificate.
    """
    is_strict = channel.begins_with_tls()
    if is_strict:
        if mode == "off":
            raise ProtocolError("the client requires TLS, which this server does not offer")
        channel.start_strict_tls(context)
    options = parse_prelogin(_expect(channel, PacketType.PRELOGIN).payload)
    encryption = Encryption.NOT_SUPPORTED if is_strict else negotiate_encryption(options, mode)
    response = prelogin_response(options, encryption)
    channel.send(frame_message(PacketType.TABULAR_RESULT, response))
    if encryption is not Encryption.NOT_SUPPORTED:
        channel.start_tls(context)
    login = parse_login(_expect(channel, PacketType.LOGIN7).payload)
    if encryption is Encryption.OFF:
        channel.stop_tls()
    return login


def _expect(channel: Channel, wanted: PacketType) -> Message:
    message = channel.read_message()
    if message.type != wanted:
        raise ProtocolError(f"expected {wanted.name}, got a message of type {message.type}")
    return message


def login_response(login: Login, database: str) -> bytes:
    """The response to a successful login, with SQL Server's order of tokens."""
    packet_size = str(login.packet_size)
    acknowledged = {FEATURE_UTF8: b"\x01"} if FEATURE_UTF8 in login.features else {}
    return b"".join(
        (
            tokens.database_changed(database, "master"),
            tokens.change_bytes(Change.COLLATION, COLLATIONS[DEFAULT_COLLATION].wire),
            tokens.language_changed(login.language or DEFAULT_LANGUAGE, ""),
            tokens.login_acknowledged(TDS_8 if login.tds_version == TDS_8 else TDS_7_4),
            tokens.change_text(Change.PACKET_SIZE, packet_size, str(DEFAULT_PACKET_SIZE)),
            tokens.features_acknowledged(acknowledged),
            tokens.done(Token.DONE, Done.FINAL),
        )
    )


def login_error_response(problem: SqlError, user: str) -> bytes:
    """The response to a failed login; after 4060, SQL Server also sends 18456."""
    response = tokens.error(problem)
    if problem.number == _CANNOT_OPEN_DATABASE:
        response += tokens.error(login_failed(user))
    return response + tokens.done(Token.DONE, Done.ERROR)


def login_failed(user: str) -> SqlError:
    """Error 18456."""
    return SqlError(18456, f"Login failed for user '{user}'.", severity=14)
