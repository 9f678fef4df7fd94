"""Classifies HTTP responses: delivered, retry, rejected or fatal. Pure.

Sources: each API's documentation for the status codes; 522 and 524 are Cloudflare's timeouts. The
status takes precedence over the body, since error bodies have no common format.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from target_pipelines.api.outcomes import Delivered, Fatal, Outcome, Rejected, Retry
from target_pipelines.destinations.error_bodies import reports_error

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_RETRY_AFTER_SECONDS = 300.0
_RETRIED = frozenset({408, 409, 420, 421, 423, 424, 425, 429, 449, 460, 499})
"""Client errors that may be over at the next attempt. 420 and 449 are Twitter's and Microsoft's
words for 429 and 503; 460 and 499 are those of AWS and nginx for a client that was too slow."""
_BLAMES_CALL = frozenset({409, 423, 424})
_BLAMES_SERVER = frozenset({503, 507, 508, 509, 511, 529, 530})
"""Server errors that say that no call is the cause; 529 and 530 are not registered."""
_FATAL_STATUSES = frozenset(
    {*range(401, 408), *range(410, 418), 426, 428, 431, 440, 451, *range(494, 499)} - {413}
)
"""What is wrong with the address, the key or the client, whatever the calls are. 440 is IIS's for a
session that is over, 494 to 498 are nginx's and ArcGIS's for headers, certificates and tokens."""
_FATAL_ADVICE = {
    401: "the write key was rejected. Correct the setting `write_key`, or `region` if the account "
    "is in another one",
    402: "the account is not paid for, or its quota is used up",
    403: "the write key lacks permission. Correct the setting `write_key`",
    404: "the URL does not exist. Correct the setting `endpoint`",
    407: "a proxy asks for its own password. Correct the proxy's URL in the environment",
    451: "the API refuses for legal reasons. Ask its operator",
}


class ResponseClassifier(Protocol):
    """Maps an HTTP response to the outcome of its request."""

    def __call__(
        self, status: int, headers: Mapping[str, str], body: bytes, *, now: datetime
    ) -> Outcome:
        """Classify a response; arguments as for `classify_response`."""


def classify_response(
    status: int, headers: Mapping[str, str], body: bytes, *, now: datetime
) -> Outcome:
    """The outcome of a request with this response.

    Args:
        status: the HTTP status.
        headers: the response headers, case-insensitive or with `Retry-After` spelt so.
        body: the response body, or its beginning.
        now: an aware datetime, for a Retry-After that is a date.
    """
    if 200 <= status <= 299:
        return _classify_success(status, body)
    if status in _RETRIED or not 200 <= status <= 499:  # below 200 it is not final
        blames_call = status in _BLAMES_CALL or (
            500 <= status <= 599 and status not in _BLAMES_SERVER
        )
        seconds = parse_retry_after(headers.get("Retry-After"), now)
        return Retry(f"HTTP {status}", seconds, blames_call, status)
    if status in _FATAL_STATUSES:
        return Fatal(
            f"HTTP {status}: {_FATAL_ADVICE.get(status, 'check `endpoint` and `write_key`')}"
        )
    if 300 <= status <= 399:
        return Fatal(
            f"HTTP {status}: a redirect, and redirects are never followed. Correct the setting "
            "`endpoint`"
        )
    return Rejected(f"HTTP {status}", status)


def _blames_call(status: int) -> bool:
    """Whether one of the calls may be the cause of a status that is retried."""
    return status in _BLAMES_CALL or (500 <= status <= 599 and status not in _BLAMES_SERVER)


def _classify_success(status: int, body: bytes) -> Outcome:
    """A success needs a body like the API's: empty, or JSON that reports no failure."""
    if status == HTTPStatus.MULTI_STATUS:
        return Fatal(
            "HTTP 207: the API answers for each call, which only a `classify` of its own can read. "
            "Correct the setting `endpoint`, or write a profile for this API"
        )
    text = body.strip()
    if not text or text.lower() == b"ok":
        return Delivered()
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return Fatal(
            f"HTTP {status} with a body that is not JSON: the response may come from a proxy or a "
            "login page instead of the API. Correct the setting `endpoint`"
        )
    if reports_error(content):
        return Rejected(f"HTTP {status} with a body that reports an error", status)
    return Delivered()


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds to wait according to a Retry-After, a number or a date; None if it is invalid."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MAX_RETRY_AFTER_SECONDS)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return min(max((date - now).total_seconds(), 0.0), MAX_RETRY_AFTER_SECONDS)
