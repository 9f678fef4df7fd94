"""TLS: a server without the right certificate gets neither a call nor a password."""

from __future__ import annotations

import contextlib
import json
import os
import socketserver
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.sql_server.engine import DuckDBEngine
from sandbox.sql_server.server import SqlServer
from sandbox.sql_server.transport.tls import server_context, write_certificate
from target_pipelines.api.outcomes import Delivered, Fatal, Outcome, Retry
from target_pipelines.api.settings import TargetSettings
from target_pipelines.destinations.customerio import PROFILE
from target_pipelines.destinations.http_sender import HttpSender
from target_pipelines.testing.destination_cases import CALLS
from tests.reliability.single_runs import Programs
from tests.tap.conftest import TAP

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class _Server(socketserver.ThreadingTCPServer):
    """An API on all loopback addresses, with or without TLS; keeps what it receives."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, context: ssl.SSLContext | None) -> None:
        super().__init__(("", 0), _Handler)
        self.context = context
        self.received: list[bytes] = []


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            if self.server.context is None:
                self._respond(self.request)
                return
            with self.server.context.wrap_socket(self.request, server_side=True) as connection:
                self._respond(connection)

    def _respond(self, connection: socket.socket) -> None:
        self.server.received.append(connection.recv(65_536))
        connection.sendall(RESPONSE)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """A self-signed certificate for localhost and 127.0.0.1."""
    return write_certificate(tmp_path_factory.mktemp("certificate"))


@contextlib.contextmanager
def _serving(context: ssl.SSLContext | None) -> Iterator[_Server]:
    with _Server(context) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _send(server: _Server, host: str) -> Outcome:
    url = f"https://{host}:{server.server_address[1]}/v1"
    settings = TargetSettings(
        destination="customerio", endpoint=url, write_key="canary-4711", trust_environment=True
    )
    with contextlib.closing(HttpSender(PROFILE, url, settings)) as sender:
        return sender.send(CALLS[:1])


@pytest.mark.parametrize(
    ("host", "is_trusted", "is_taken"),
    [("127.0.0.1", True, True), ("127.0.0.1", False, False), ("127.0.0.2", True, False)],
    ids=["trusted", "self-signed", "another host's"],
)
def test_call_goes_only_to_a_server_with_the_right_certificate(
    certificate, monkeypatch, host, is_trusted, is_taken
):
    """A self-signed certificate, or one for another host, ends the connection before a call."""
    if is_trusted:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with _serving(server_context(certificate)) as server:
        outcome = _send(server, host)

    assert isinstance(outcome, Delivered) == is_taken
    assert isinstance(outcome, Delivered if is_taken else Fatal)  # repeating it cannot help
    assert any(server.received) == is_taken


def test_https_never_becomes_http():
    """A server without TLS gets no call and no key."""
    with _serving(None) as server:
        outcome = _send(server, "127.0.0.1")

    assert isinstance(outcome, Retry)
    assert not any(b"canary" in data or b"batch" in data for data in server.received)


# SQL Server


@pytest.fixture(scope="module")
def engine() -> DuckDBEngine:
    """A database with a login."""
    engine = DuckDBEngine()
    engine.create_database("shop")
    engine.add_login("reader", "Sandbox-1", role="reader")
    return engine


def _config(server: SqlServer, **changes: Any) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": server.port,
        "database": "shop",
        "username": "reader",
        "password": "Sandbox-1",
        "syncs": [{"name": "s", "type": "identify", "query": "SELECT 1 AS id"}],
        **changes,
    }


@pytest.mark.parametrize("reader", ["arrow", "odbc"])
@pytest.mark.parametrize(
    "changes",
    [{}, {"trust_server_certificate": True}, {"encrypt": "strict"}],
    ids=["yes", "any certificate", "strict"],
)
def test_login_is_not_sent_to_a_server_without_tls(fork_server, tmp_path, engine, reader, changes):
    """`encrypt` is required of the server, not offered to it."""
    with SqlServer(engine, encryption="off") as server:
        config = _config(server, reader=reader, **changes)
        done = Programs(fork_server, tmp_path).run_tap(config)

    assert (done.exit_code, done.output) == (3, "")


@pytest.mark.parametrize("reader", ["arrow", "odbc"])
@pytest.mark.parametrize(("host", "exit_code"), [("127.0.0.1", 0), ("127.0.0.2", 3)])
def test_certificate_of_another_host_is_refused(tmp_path, engine, reader, host, exit_code):
    """A trusted authority is not enough: the certificate must name the right host."""
    with SqlServer(engine, host=host) as server:
        config = _config(server, reader=reader, host=host)
        (tmp_path / "tap.json").write_text(json.dumps(config))
        done = subprocess.run(
            [TAP, "--config", tmp_path / "tap.json"],
            env={**os.environ, "SSL_CERT_FILE": str(server.certificate_path)},
            capture_output=True,
            check=False,
            timeout=60,
        )

    assert done.returncode == exit_code, done.stderr
