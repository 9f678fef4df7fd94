"""Classifies HTTP responses: delivered, retry, rejected or fatal. Pure.

Sources: each API's documentation for the status codes; 522 and 524 are Cloudflare's timeouts. The
status takes precedence over the body, since error bodies have no common format.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Protocol

from target_pipelines.api.outcomes import Delivered, Fatal, Outcome, Rejected, Retry

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_RETRY_AFTER_SECONDS = 300.0
_RETRY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, 522, 524})
_FATAL_STATUSES = frozenset({401, 402, 403, 404, 405, 407, 410})
_FATAL_ADVICE = {
    401: "the write key was rejected. Correct the setting `write_key`",
    403: "the write key lacks permission. Correct the setting `write_key`",
    404: "the URL does not exist. Correct the setting `endpoint`",
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
    if status in _RETRY_STATUSES or not 200 <= status <= 499:  # below 200 it is not final
        return Retry(f"HTTP {status}", parse_retry_after(headers.get("Retry-After"), now))
    if status in _FATAL_STATUSES:
        return Fatal(f"HTTP {status}: {_FATAL_ADVICE.get(status, 'check endpoint and write_key')}")
    if 300 <= status <= 399:
        return Fatal(
            f"HTTP {status}: a redirect, and redirects are never followed. Correct the setting "
            "`endpoint`"
        )
    return Rejected(f"HTTP {status}", status)


def _classify_success(status: int, body: bytes) -> Outcome:
    """A success needs a body like the API's: empty, or JSON that reports no failure."""
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
    if isinstance(content, dict) and content.get("success") is False:
        return Rejected(f"HTTP {status} with success: false", status)
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
