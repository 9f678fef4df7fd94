"""What becomes of an attempt without a response: repeated, or the run stops. Pure."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import requests
from urllib3.exceptions import NameResolutionError

from target_pipelines.api.outcomes import Fatal, Outcome, Retry
from target_pipelines.destinations.connections import TunnelRefused
from target_pipelines.destinations.responses import classify_response

if TYPE_CHECKING:
    from collections.abc import Iterator

_TRUST = "If that is right, name its authority's certificate in the setting `ca_file`"
_HOST = "is for another host name. Correct the setting `endpoint`, or the proxy's address"
_CERTIFICATES = {  # Source: OpenSSL, x509_vfy.h
    2: f"is signed by an unknown authority. {_TRUST}",
    9: "is not valid yet, or the clock of this machine is wrong. Correct it",
    10: "has expired, or the clock of this machine is wrong. Renew it, or correct the clock",
    18: f"is self-signed. {_TRUST}",
    19: f"is signed by an unknown authority, which signed itself. {_TRUST}",
    20: f"is signed by an unknown authority. {_TRUST}",
    21: f"is signed by an unknown authority. {_TRUST}",
    23: "has been revoked. Replace it",
    62: _HOST,
    64: _HOST,
}


def outcome_of_error(error: BaseException, *, is_timeout: bool) -> Outcome:
    """The outcome of an attempt that raised this; no text of the error, which may hold secrets."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            whose = "the proxy" if isinstance(error, requests.exceptions.ProxyError) else "the API"
            problem = describe_certificate(cause)
            return Fatal(f"no call was sent, because the certificate of {whose} {problem}")
        if isinstance(cause, TunnelRefused):
            return _outcome_of_proxy(cause.status)
    if isinstance(error, ValueError) or any(isinstance(cause, UnicodeError) for cause in causes):
        return Fatal(
            "no request can be made to this address. Correct the setting `endpoint`, or the "
            "proxies of the environment"
        )
    party = "response from the proxy" if _is_of_proxy(error) else "response"
    return Retry(f"no {party} ({'timeout' if is_timeout else _kind_of(error, causes)})")


def describe_certificate(error: ssl.SSLCertVerificationError) -> str:
    """What is wrong with a certificate, as the end of a sentence, and the remedy."""
    return _CERTIFICATES.get(error.verify_code, f"is not trusted. {_TRUST}")


def _is_of_proxy(error: BaseException) -> bool:
    return isinstance(error, requests.exceptions.ProxyError)


def _outcome_of_proxy(status: int) -> Outcome:
    """The outcome of a CONNECT, whose refusal says nothing about the calls."""
    if isinstance(classify_response(status, {}, b"", now=datetime.now(UTC)), Retry):
        return Retry(f"the proxy answered CONNECT with HTTP {status}")
    advice = "its user name and password" if status == 407 else "it and the setting `endpoint`"
    return Fatal(f"the proxy answered CONNECT with HTTP {status}. Correct {advice}")


def _kind_of(error: BaseException, causes: list[BaseException]) -> str:
    if isinstance(error, (requests.Timeout, TimeoutError)):
        return "timeout"
    for cause in causes:
        if isinstance(cause, NameResolutionError):
            return "the host name cannot be resolved"
        if isinstance(cause, ConnectionRefusedError):
            return "the connection was refused"
        if isinstance(cause, ssl.SSLError):
            name = (cause.reason or "").lower().replace("_", " ")
            return f"TLS: {name}" if name else "TLS"
    return "connection"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that led to it, which the HTTP libraries keep in several places."""
    found: dict[int, BaseException] = {}
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop()
        if not isinstance(cause, BaseException) or id(cause) in found:
            continue
        found[id(cause)] = cause
        yield cause
        waiting += [cause.__cause__, cause.__context__, *cause.args]
        waiting += [getattr(cause, "reason", None), getattr(cause, "original_error", None)]
