from __future__ import annotations

from dataclasses import replace

import pytest

from sandbox.sql_server.login.handshake import login_error_response, login_response
from sandbox.sql_server.login.login7 import Login, parse_login
from sandbox.sql_server.login.prelogin import (
    Encryption,
    EncryptionMode,
    negotiate_encryption,
    parse_prelogin,
    prelogin_response,
)
from sandbox.sql_server.results import SqlError
from sandbox.sql_server.token_stream import tokens
from sandbox.sql_server.transport.packets import ProtocolError
from tests.sandbox import recorded


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mssql_python-types", ("vm", "app", "s3cret", "MSSQL-Python", "shop")),
        ("freetds-types", ("vm", "app", "s3cret", "", "shop")),
        ("odbc18-login-failed", ("vm", "app", "wrong", "python3.11", "shop")),
    ],
)
def test_logins_of_the_drivers_are_read(name: str, expected: tuple[str, ...]) -> None:
    """Host, login, password, program and database are parsed from every driver's LOGIN7."""
    login = parse_login(recorded.requests(name, "LOGIN7")[0])
    assert (login.host, login.user, login.password, login.program, login.database) == expected
    assert login.packet_size == 4096
    assert login.password not in repr(login)


def test_features_that_a_driver_asks_for_are_read() -> None:
    """The feature extension block is found by its offset, and read to its terminator."""
    login = parse_login(recorded.requests("mssql_python-types", "LOGIN7")[0])
    assert {1, 9, 10, 11} <= set(login.features)
    assert login.features[10] == b"\x01"


@pytest.mark.parametrize("cut", [10, 50, 120])
def test_truncated_login_is_rejected(cut: int) -> None:
    """A LOGIN7 whose fields lie outside it is a protocol error, not an IndexError."""
    payload = recorded.requests("freetds-types", "LOGIN7")[0]
    with pytest.raises(ProtocolError):
        parse_login(payload[:cut])


@pytest.mark.parametrize("name", ["freetds-types", "odbc18-login-failed"])
def test_prelogin_response_is_as_recorded(name: str) -> None:
    """The same options in the same order; the version is the sandbox's, MARS data is one byte."""
    requested = parse_prelogin(recorded.requests(name, "PRELOGIN")[0])
    ours = parse_prelogin(prelogin_response(requested, Encryption.NOT_SUPPORTED))
    theirs = parse_prelogin(recorded.response_to(name, "PRELOGIN"))
    assert list(ours) == list(theirs)
    assert ours[0] != theirs[0]
    assert ours[1] == theirs[1] == b"\x02"
    assert ours[4] == b"\x00"


_ASKED: dict[str, int] = {"off": 0, "on": 1, "not supported": 2}


@pytest.mark.parametrize(
    ("mode", "client", "expected"),
    [
        ("off", "off", Encryption.NOT_SUPPORTED),
        ("off", "on", Encryption.NOT_SUPPORTED),
        ("optional", "off", Encryption.OFF),
        ("optional", "on", Encryption.ON),
        ("optional", "not supported", Encryption.NOT_SUPPORTED),
        ("required", "off", Encryption.REQUIRED),
        ("required", "on", Encryption.ON),
        ("required", "not supported", Encryption.REQUIRED),
    ],
)
def test_encryption_follows_the_table_of_the_specification(
    mode: EncryptionMode, client: str, expected: Encryption
) -> None:
    """Both sides' settings decide, as in [MS-TDS] 2.2.6.5."""
    assert negotiate_encryption({1: bytes([_ASKED[client]])}, mode) is expected


def login() -> Login:
    """A login to `shop` that requests UTF-8 support."""
    return Login(0x74000004, 4096, "h", "app", "p", "", "", "", "shop", False, {10: b"\1"})


def test_login_response_has_the_recorded_tokens() -> None:
    """Packet size, database and collation are announced with the bytes that were recorded."""
    ours, theirs = (
        login_response(login(), "shop"),
        recorded.response_to("mssql_python-types", "LOGIN7"),
    )
    packet_size, collation = theirs[:22], bytes.fromhex("e3080007050904d0003400")
    assert tokens.change_text(tokens.Change.PACKET_SIZE, "4096", "4096") == packet_size
    assert tokens.change_text(tokens.Change.DATABASE, "shop", "") in theirs
    assert collation in theirs
    assert packet_size in ours
    assert collation in ours


def test_login_response_acknowledges_supported_features() -> None:
    """UTF-8 support is acknowledged only if requested."""
    acknowledgement = bytes.fromhex("ae0a0100000001ff")
    assert acknowledgement in login_response(login(), "shop")
    assert acknowledgement not in login_response(replace(login(), features={1: b""}), "shop")


def test_login_error_has_the_recorded_form() -> None:
    """Error 18456 as recorded, except for the server's name and quotes; DONE says error."""
    problem = SqlError(18456, 'Login failed for user "app"', severity=14)
    theirs = recorded.response_to("odbc18-login-failed", "LOGIN7")
    server, ours = "BABELFISH", login_error_response(problem, "app")
    renamed = theirs.replace(
        bytes([len(server)]) + server.encode("utf-16-le"),
        bytes([len("SANDBOX")]) + "SANDBOX".encode("utf-16-le"),
    )
    assert ours[3:] == renamed[3:]


def test_unknown_database_causes_a_second_error() -> None:
    """Error 4060 is followed by 18456, as in SQL Server."""
    response = login_error_response(SqlError(4060, "Cannot open database", severity=11), "app")
    assert (18456).to_bytes(4, "little") in response
