"""Every way to a destination has every guard: directly and through proxies, with TLS or not."""

from __future__ import annotations

import contextlib
import ssl
import time
from typing import TYPE_CHECKING

import pytest

from sandbox.sql_server.transport.tls import write_certificate
from target_pipelines.api.outcomes import Delivered, Fatal, Retry
from target_pipelines.destinations.customerio import PROFILE
from target_pipelines.destinations.trusted_certificates import VARIABLES
from target_pipelines.testing import RecordingServer, check_destination
from target_pipelines.testing.destination_cases import DestinationCase, make_case
from tests.target.destinations.proxies import Proxy, proxying

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BODY = b'{"success":true}'
COMPLETE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n" + BODY
# Whether the API and the proxy have TLS; None without a proxy.
WAYS = {
    "direct": (False, None),
    "direct TLS": (True, None),
    "proxy": (False, False),
    "proxy TLS": (True, False),
    "TLS proxy": (False, True),
    "TLS proxy TLS": (True, True),
}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """A self-signed certificate for 127.0.0.1, in ca_file."""
    return write_certificate(tmp_path_factory.mktemp("certificate"))


def _context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    return context


@contextlib.contextmanager
def _way(
    name: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[DestinationCase, RecordingServer, Proxy | None]]:
    has_tls, proxy_has_tls = WAYS[name]
    context = _context(certificate)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(RecordingServer(context=context if has_tls else None))
        proxy = None
        if proxy_has_tls is not None:
            proxy = stack.enter_context(proxying(context if proxy_has_tls else None))
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("http_proxy", proxy.url)
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            monkeypatch.setenv("no_proxy", "")
        settings = {"trust_environment": True, "ca_file": str(certificate)}
        yield make_case(PROFILE.as_destination(), server, **settings), server, proxy


@pytest.mark.slow
@pytest.mark.parametrize("name", WAYS)
def test_contract_is_kept_on_every_way(certificate, monkeypatch, name):
    """The whole suite of HTTP destinations."""
    with _way(name, certificate, monkeypatch) as (case, server, proxy):
        check_destination(
            case.destination, server, trust_environment=True, ca_file=str(certificate)
        )

        assert proxy is None or proxy.used


MALFORMED = {
    "a negative length": b"Content-Length: -5\r\n\r\n" + BODY,
    "a length in words": b"Content-Length: 16x\r\n\r\n" + BODY,
    "two lengths": b"Content-Length: 16\r\nContent-Length: 5\r\n\r\n" + BODY,
    "a list of lengths": b"Content-Length: 16, 5\r\n\r\n" + BODY,
    "a blank before the colon": b"Content-Length : 16\r\n\r\n" + BODY,
    "no header": b"nonsense\r\nContent-Length: 2\r\n\r\n" + BODY,
    "another encoding": b"Transfer-Encoding: gzip, chunked\r\n\r\n10\r\n" + BODY,
    "both": b"Content-Length: 16\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n%b\r\n0\r\n\r\n" % BODY,
    **{
        f"chunk {size.decode()}": b"Transfer-Encoding: chunked\r\n\r\n%b\r\n%b\r\n0\r\n\r\n"
        % (size, BODY)
        for size in (b"-1", b"-5", b"+10", b"0x10", b"1_0", b"zz", b"")
    },
}


@pytest.mark.parametrize("name", WAYS)
def test_guards_hold_on_every_way(certificate, monkeypatch, name):
    """Truncated and ambiguous responses acknowledge nothing; a dripping one ends in time."""
    with _way(name, certificate, monkeypatch) as (case, _, proxy):
        cuts = [9, 15, 17, 25, 50, len(COMPLETE) - len(BODY) - 2, len(COMPLETE) - 1]
        responses = [COMPLETE[:cut] for cut in cuts]
        responses += [b"HTTP/1.1 200 OK\r\n" + rest for rest in MALFORMED.values()]
        for response in responses:
            outcome = case.send_one({"raw": response})
            assert isinstance(outcome, Retry), response

        assert isinstance(case.send_one({"raw": COMPLETE}), Delivered)
        started = time.monotonic()
        for drip in (b"HTTP/1.1 100 Continue\r\n\r\n", b"x"):
            outcome = case.send_one({"drip": drip}, timeout_seconds=0.3)
            assert isinstance(outcome, Retry)
        assert time.monotonic() - started < 5
        assert proxy is None or proxy.used


def test_body_that_drips_until_the_connection_ends_is_cut(certificate, monkeypatch):
    """A response without a length hides its socket; the deadline cuts it all the same."""
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    with _way("direct", certificate, monkeypatch) as (case, _, _proxy):
        started = time.monotonic()
        outcome = case.send_one({"drip": head}, timeout_seconds=0.3)

    assert isinstance(outcome, Retry)
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("answer", "drips", "expected"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", False, Fatal),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", False, Fatal),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", False, Retry),
        (b"HTTP/1.1 200 OK\r\n", False, Retry),
        (b"HTTP/1.1 200 OK\r\n", True, Retry),
    ],
    ids=["407", "403", "502", "truncated", "dripping"],
)
@pytest.mark.parametrize("name", ["proxy TLS", "TLS proxy TLS"])
def test_refused_connect_is_told_apart(certificate, monkeypatch, name, answer, drips, expected):
    """A proxy that refuses stops the run, one that fails or drips is tried again."""
    with _way(name, certificate, monkeypatch) as (case, server, proxy):
        assert proxy is not None
        proxy.answer, proxy.drips = answer, drips
        started = time.monotonic()
        outcome = case.send_one({}, timeout_seconds=0.5)

        assert isinstance(outcome, expected), outcome
        assert time.monotonic() - started < 4
        assert not server.received()


@pytest.mark.parametrize("name", ["direct TLS", "TLS proxy", "TLS proxy TLS"])
def test_untrusted_certificate_stops_and_says_whose(certificate, monkeypatch, name):
    """Neither an API nor a proxy with an untrusted certificate gets a call."""
    with _way(name, certificate, monkeypatch) as (case, server, _):
        outcome = case.send_one({}, ca_file=None)

        assert isinstance(outcome, Fatal)
        assert "is self-signed. If that is right, name" in outcome.reason
        assert ("of the proxy" in outcome.reason) == name.startswith("TLS")
        assert not server.received()


ENDPOINTS = {
    "https:///v1": "no valid host",
    "https://h:99999": "no valid port",
    "https://h:0": "no valid port",
    "https://h:": "no valid port",
    "https://h:x": "no valid port",
    "https://a b/v1": "a blank",
    "https://h/v 1": "a blank",
    "https://[::1/v1": "no valid host",
    "https://[::g]/v1": "no valid host",
    "https://::1/v1": "no valid",
    "https://300.1.1.1": "no valid host",
    "https://-h.example": "no valid host",
    "https://a..b": "no valid host",
    f"https://{'a' * 64}.example": "no valid host",
    "https://u:p4ss@h/v1": "user name or password",
    "https://h/v1#part": "fragment",
    "ftp://h/v1": "must begin with",
    "https:h/v1": "no valid host",
    "https://h\\v1": "backslash",
    "https://h/\nv1": "line break",
    "": "must begin with",
}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_broken_endpoint_is_a_problem(endpoint):
    """It is reported before anything is sent, without a password."""
    with RecordingServer() as server:
        case = make_case(PROFILE.as_destination(), server, write_key="k")
    settings = type(case.settings)(destination="customerio", write_key="k", endpoint=endpoint)

    (problem,) = PROFILE.find_problems(settings)

    assert ENDPOINTS[endpoint] in problem
    assert "p4ss" not in problem


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.0.0.1:8090/v1",
        "https://[::1]:443/v1",
        "https://bücher.example",
        "https://a_b.c./",
    ],
)
def test_valid_endpoint_is_none(endpoint):
    """Addresses, names of other scripts and a final dot are allowed."""
    with RecordingServer() as server:
        settings = make_case(PROFILE.as_destination(), server).settings
    given = {"write_key": "k", "endpoint": endpoint}

    assert list(PROFILE.find_problems(type(settings)(destination="customerio", **given))) == []


@pytest.mark.parametrize("variable", [None, "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_broken_ca_file_is_a_problem(tmp_path, monkeypatch, variable, content):
    """Who names it, and which file, in one sentence."""
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    for other in VARIABLES:
        monkeypatch.delenv(other, raising=False)
    if variable:
        monkeypatch.setenv(variable, str(path))
    with RecordingServer() as server:
        case = make_case(PROFILE.as_destination(), server, ca_file=None if variable else str(path))

    (problem,) = PROFILE.find_problems(case.settings)

    assert problem.startswith(
        f"Environment variable {variable}" if variable else "Setting `ca_file`"
    )
    assert str(path) in problem


@pytest.mark.parametrize("proxy", ["http://", "http://h:99999", "socks5://h:1", "ftp://h"])
def test_broken_proxy_of_the_environment_is_a_problem(monkeypatch, proxy):
    """It cannot be cured by repeating a request."""
    monkeypatch.setenv("HTTP_PROXY", proxy)
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("no_proxy", "")
    with RecordingServer() as server:
        case = make_case(PROFILE.as_destination(), server, trust_environment=True)

    (problem,) = PROFILE.find_problems(case.settings)

    assert problem.startswith("The proxy of the environment")


def test_unresolvable_and_refused_are_told_apart():
    """What is said names the cause."""
    with RecordingServer() as server:
        case = make_case(PROFILE.as_destination(), server, timeout_seconds=3)
    refused = case.send_one({})
    unresolvable = case.send_one({}, endpoint="http://nowhere.invalid/v1")

    assert refused == Retry("no response (the connection was refused)")
    assert unresolvable == Retry("no response (the host name cannot be resolved)")
