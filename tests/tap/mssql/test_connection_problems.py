"""Each failure of a connection is told in plain words, whichever driver met it."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tap_mssql_query.errors import ConnectionFailed
from tap_mssql_query.mssql import session
from tap_mssql_query.mssql.connect import connect
from tap_mssql_query.mssql.connection_problems import describe_connection_problem
from tap_mssql_query.mssql.network_probe import find_obstacle
from tap_mssql_query.settings.model import parse_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

READERS = ["arrow", "odbc"]


def _message_of(config: dict[str, Any], reader: str, **changes: Any) -> str:
    sync = {"name": "s", "type": "identify", "query": "SELECT 1 AS userId"}
    given = {**config, "login_timeout_seconds": 2, **changes, "reader": reader, "syncs": [sync]}
    settings = parse_settings({key: value for key, value in given.items() if value is not None})
    with pytest.raises(ConnectionFailed) as caught:
        connect(settings.syncs[0].database, settings)
    return str(caught.value)


@contextmanager
def _listener(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a server that treats every connection like this."""
    open_ones: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                    open_ones.append(connection)
                    answer(connection)
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
    thread.join()
    for connection in open_ones:
        connection.close()


def _reset(connection: socket.socket) -> None:
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _speak_http(connection: socket.socket) -> None:
    connection.recv(1)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"port": 1}, "connection is refused", id="closed port"),
        pytest.param({"host": "no-such-host.invalid"}, "host name", id="unknown host"),
        pytest.param(
            {"encrypt": "yes", "trust_server_certificate": False},
            "`trust_server_certificate`",
            id="self-signed",
        ),
        pytest.param({"encrypt": "strict"}, "`trust_server_certificate`", id="strict"),
        pytest.param({"password": "x"}, "Check `username` and `password`", id="wrong password"),
        pytest.param({"database": "nowhere"}, "login may open", id="unknown database"),
        pytest.param({"authentication": "Magic"}, "`authentication`", id="authentication"),
        pytest.param(
            {
                "encrypt": "strict",
                "connection_options": {"ServerCertificate": "/no/such.pem"},
            },
            "ServerCertificate` cannot be read",
            id="certificate file",
        ),
        pytest.param(
            {
                "username": None,
                "password": None,
                "connection_options": {"Trusted_Connection": "yes"},
            },
            "kinit",
            id="no ticket",
        ),
    ],
)
def test_cause_is_told_in_plain_words(config, reader, changes, words):
    """The message names the cause and the setting, not the driver's code."""
    message = _message_of(config, reader, **changes)

    assert words in message
    assert "Error code 0x" not in message


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(lambda _: None, "did not answer the login", id="silent"),
        pytest.param(lambda connection: connection.close(), "closed the connection", id="closes"),
        pytest.param(_reset, "closed the connection", id="resets"),
        pytest.param(_speak_http, "is not SQL Server", id="another protocol"),
    ],
)
def test_answer_of_something_else_is_told_in_plain_words(config, reader, answer, words):
    """A port that is open but is not SQL Server's, or a server that does not answer."""
    with _listener(answer) as port:
        assert words in _message_of(config, reader, port=port)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SSL Provider: [error:0A000086:… verify failed:certificate has expired]", "has expired"),
        ("certificate verify failed:unable to get local issuer certificate", "authority"),
        ("certificate verify failed:hostname mismatch", "HostNameInCertificate"),
        ("SSL routines::unsupported protocol", "TLS version"),
        ("SSL routines::tlsv1 alert protocol version", "TLS version"),
        ("SSL routines::dh key too small", "TLS version"),
        ("Encryption not supported on SQL Server.", "Set `encrypt` to no"),
        ("requires encryption but this machine does not support it", "Set `encrypt` to yes"),
        ("Error Locating Server/Instance Specified [xFFFFFFFF].", "set `port`"),
        ("SSPI Provider: Server not found in Kerberos database", "ServerSPN"),
        ("Can't open lib 'x' : file not found", "`odbc_driver`"),
    ],
)
def test_known_text_of_the_driver_has_a_sentence(text, words):
    """Causes that cannot be made here, by the driver's text."""
    assert words in str(describe_connection_problem(text))


def test_unknown_text_has_no_sentence():
    """The driver's own text is shown then."""
    assert describe_connection_problem("something else") is None


def test_open_port_is_no_obstacle():
    """The network is not to blame if a connection can be opened."""
    with _listener(lambda _: None) as port:
        assert find_obstacle("127.0.0.1", port, 2.0) is None


@pytest.mark.parametrize("host", ["(local)", "np:server", "127.0.0.1,1433", "."])
def test_form_that_only_the_driver_knows_is_left_to_it(host):
    """A pipe, or a port within `host`, is not looked up."""
    assert find_obstacle(host, 1, 2.0) is None


def test_network_is_asked_only_about_a_slow_login(config, monkeypatch):
    """An ordinary login opens one connection."""
    asked = []
    sync = {"name": "s", "type": "identify", "query": "SELECT 1 AS userId"}
    settings = parse_settings({**config, "syncs": [sync]})
    monkeypatch.setattr("tap_mssql_query.mssql.connect.find_obstacle", lambda *_: asked.append(1))
    monkeypatch.setattr(session, "_PATIENCE_SECONDS", 30.0)

    connect(settings.syncs[0].database, settings).close()

    assert asked == []
