"""What an attempt's answer means for its calls. Pure.

Sources: the APIs' own documents for the codes; 522 and 524 are Cloudflare's timeouts. The status
is judged before the body: error bodies come in every shape.
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
_BASE_SECONDS = 0.5
_MAX_BACKOFF_SECONDS = 60.0
_RETRY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, 522, 524})
_STOP_STATUSES = frozenset({401, 402, 403, 404, 405, 407, 410})


class Judge(Protocol):
    """What an HTTP answer means for the calls of its request."""

    def __call__(
        self, status: int, headers: Mapping[str, str], body: bytes, *, now: datetime
    ) -> Outcome:
        """Judge an answer, or its beginning; see `classify_response`."""


def classify_response(
    status: int, headers: Mapping[str, str], body: bytes, *, now: datetime
) -> Outcome:
    """What an HTTP answer means.

    Args:
        status: the HTTP status.
        headers: the answer's headers; their names are looked up as `Retry-After` is spelt here.
        body: the answer's body, or its beginning.
        now: an aware datetime, for a Retry-After that is a date.
    """
    if 200 <= status <= 299:
        return _judge_success(status, body)
    if status in _RETRY_STATUSES or not 200 <= status <= 499:  # below 200 it is not the end
        return Retry(f"HTTP {status}", parse_retry_after(headers.get("Retry-After"), now))
    if status in _STOP_STATUSES:
        return Fatal(f"HTTP {status}: {_STOP_ADVICE.get(status, 'check endpoint and write_key')}")
    if 300 <= status <= 399:
        return Fatal(
            f"HTTP {status}: it redirects, and redirects are never followed. Correct the "
            "setting `endpoint`"
        )
    return Rejected(f"HTTP {status}", status)


_STOP_ADVICE = {
    401: "the write key is refused. Correct the setting `write_key`",
    403: "the write key may not do this. Correct the setting `write_key`",
    404: "nothing is there. Correct the setting `endpoint`",
}


def _judge_success(status: int, body: bytes) -> Outcome:
    """A success counts only if it looks like the API's: empty, or JSON without a failure."""
    text = body.strip()
    if not text or text.lower() == b"ok":
        return Delivered()
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return Fatal(
            f"HTTP {status} with a body that is no JSON: not the API's answer, but perhaps that "
            "of a proxy or a login page. Correct the setting `endpoint`"
        )
    if isinstance(answer, dict) and answer.get("success") is False:
        return Rejected(f"HTTP {status} with success: false", status)
    return Delivered()


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After asks for, in both of its forms; None if it says nothing usable."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MAX_RETRY_AFTER_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), MAX_RETRY_AFTER_SECONDS)


def backoff_seconds(attempt: int, after_seconds: float | None, dice: float) -> float:
    """How long to wait before the next attempt: full jitter, but never less than was asked for.

    Args:
        attempt: how many attempts have failed, from 1.
        after_seconds: what the answer asked for.
        dice: a random number from 0 to 1.
    """
    ceiling = min(_BASE_SECONDS * 2.0 ** min(attempt - 1, 16), _MAX_BACKOFF_SECONDS)
    return (after_seconds or 0.0) + dice * ceiling
