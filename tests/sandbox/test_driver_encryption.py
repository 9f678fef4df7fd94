from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mssql_python
import pyodbc
import pytest

from sandbox.sql_server.server import SqlServer
from tests.sandbox import drivers
from tests.sandbox.fake_engine import PASSWORD, FakeEngine, counting
from tests.sandbox.wiretap import Wiretap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.sql_server.login.prelogin import EncryptionMode

_QUERY, _ROWS = "select n from numbers", 20_000  # several hundred kilobytes: many TLS records
_MICROSOFT = {"odbc18": drivers.odbc18, "mssql_python": drivers.mssql}
_TRUSTING = {"Encrypt": "yes", "TrustServerCertificate": "yes"}
_VERIFYING = {"Encrypt": "yes", "TrustServerCertificate": "no"}
_STRICT = {"Encrypt": "strict", "TrustServerCertificate": "no"}
_REFUSED = (pyodbc.OperationalError, mssql_python.OperationalError)


def _server(mode: EncryptionMode = "optional") -> SqlServer:
    return SqlServer(FakeEngine({_QUERY: counting(_ROWS)}), encryption=mode)


@pytest.fixture(scope="module")
def server() -> Iterator[SqlServer]:
    """A server that encrypts if the client asks for it."""
    with _server() as running:
        yield running


@pytest.fixture(scope="module")
def stranger() -> Iterator[SqlServer]:
    """Another server, with another certificate."""
    with _server() as running:
        yield running


@pytest.fixture(params=_MICROSOFT)
def connect(request: pytest.FixtureRequest) -> drivers.Connect:
    """The drivers that support all values of Encrypt."""
    return _MICROSOFT[request.param]


def _rows(connection: Any) -> int:
    try:
        with connection.cursor() as cursor:
            return len(cursor.execute(_QUERY).fetchall())
    finally:
        connection.close()


def test_trusted_certificate_is_not_verified(server: SqlServer, connect: drivers.Connect) -> None:
    """With TrustServerCertificate=yes any certificate is accepted, and all rows are encrypted."""
    assert _rows(connect(server, **_TRUSTING)) == _ROWS


def test_trusted_by_the_store(
    server: SqlServer, connect: drivers.Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With Encrypt=yes the certificate is verified against the system's store."""
    monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate_path))
    assert _rows(connect(server, **_VERIFYING)) == _ROWS


def test_other_certificate_in_the_store_is_rejected(
    server: SqlServer,
    stranger: SqlServer,
    connect: drivers.Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A store with another server's certificate does not help."""
    monkeypatch.setenv("SSL_CERT_FILE", str(stranger.certificate_path))
    with pytest.raises(_REFUSED, match="certificate verify failed"):
        connect(server, **_VERIFYING)


@pytest.mark.parametrize(
    "options", [_VERIFYING, _STRICT, {**_STRICT, "TrustServerCertificate": "yes"}]
)
def test_unknown_certificate_is_rejected(
    server: SqlServer, connect: drivers.Connect, options: dict[str, str]
) -> None:
    """A self-signed certificate is rejected by default, and by strict even if told to trust."""
    with pytest.raises(_REFUSED, match="certificate verify failed"):
        connect(server, **options)


def test_strict_with_the_server_s_certificate(server: SqlServer, connect: drivers.Connect) -> None:
    """TDS 8: TLS precedes the first packet; ServerCertificate names the certificate to trust."""
    assert _rows(connect(server, **_STRICT, ServerCertificate=server.certificate_path)) == _ROWS


def test_strict_with_another_certificate_is_rejected(
    server: SqlServer, stranger: SqlServer, connect: drivers.Connect
) -> None:
    """ServerCertificate must be the server's certificate."""
    with pytest.raises(_REFUSED, match="doesn't match with server"):
        connect(server, **_STRICT, ServerCertificate=stranger.certificate_path)


def test_server_certificate_is_for_strict_only(server: SqlServer, connect: drivers.Connect) -> None:
    """A fact about ODBC Driver 18: with Encrypt=yes it ignores ServerCertificate."""
    with pytest.raises(_REFUSED, match="certificate verify failed"):
        connect(server, **_VERIFYING, ServerCertificate=server.certificate_path)


def test_required_encryption_rejects_a_server_without_it(
    connect: drivers.Connect,
) -> None:
    """A server in mode "off" offers no encryption: clients that require it leave, others stay."""
    with _server("off") as plain:
        with pytest.raises(_REFUSED, match="Encryption not supported"):
            connect(plain, **_TRUSTING)
        assert _rows(connect(plain)) == _ROWS


def test_server_without_encryption_does_not_speak_tds_8(connect: drivers.Connect) -> None:
    """A server in mode "off" rejects strict clients."""
    with _server("off") as plain, pytest.raises(_REFUSED):
        connect(plain, **_STRICT, ServerCertificate=plain.certificate_path)


@pytest.mark.parametrize("trust", ["yes", "no"])
def test_required_encryption_overrides_the_client(connect: drivers.Connect, trust: str) -> None:
    """Mode "required" overrides Encrypt=no, and the certificate is verified after all."""
    with _server("required") as careful:
        if trust == "yes":
            assert _rows(connect(careful, Encrypt="no")) == _ROWS
            return
        with pytest.raises(_REFUSED, match="certificate verify failed"):
            connect(careful, Encrypt="no", TrustServerCertificate="no")


_NOTHING, _QUERY_ONLY, _ALL = (False, False), (True, False), (True, True)


@pytest.mark.parametrize(
    ("driver", "wish", "seen"),
    [
        ("odbc18", {"Encrypt": "no"}, _QUERY_ONLY),
        ("odbc18", _TRUSTING, _NOTHING),
        ("mssql_python", {"Encrypt": "no"}, _QUERY_ONLY),
        ("mssql_python", _TRUSTING, _NOTHING),
        ("freetds", {"Encryption": "off"}, _ALL),
        ("freetds", {"Encryption": "request"}, _QUERY_ONLY),
        ("freetds", {"Encryption": "require"}, _NOTHING),
    ],
)
def test_network_sees_what_is_not_encrypted(
    server: SqlServer, driver: str, wish: dict[str, str], seen: tuple[bool, bool]
) -> None:
    """Encryption covers nothing, the login only, or everything, as negotiated."""
    with Wiretap(server) as tap:
        port = {"PORT": tap.port} if driver == "freetds" else {}
        assert _rows(drivers.DRIVERS[driver](tap, **port, **wish)) == _ROWS
    assert (tap.saw(_QUERY), tap.saw_password(PASSWORD)) == seen


def test_freetds_gets_required_encryption_or_disconnects(server: SqlServer) -> None:
    """FreeTDS has a keyword of its own, and rejects a server in mode "off"."""
    assert _rows(drivers.freetds(server, Encryption="require")) == _ROWS
    with _server("off") as plain, pytest.raises(pyodbc.OperationalError) as caught:
        drivers.freetds(plain, Encryption="require")
    assert caught.value.args[0] == "08001"
