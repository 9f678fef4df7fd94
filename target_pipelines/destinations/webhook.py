"""Any endpoint; requests are signed as in the Standard Webhooks specification 1.0.0."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from target_pipelines import Delivered, HttpProfile, Outcome, classify_response, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from requests import PreparedRequest

    from target_pipelines import TargetSettings

_ENCODED = "whsec_"


class Signature:
    """Signs the request's bytes, an id that retries share, and the time of the attempt."""

    def __init__(self, write_key: str, clock: Callable[[], float] = time.time) -> None:
        self._secret = decode_secret(write_key)
        self._clock = clock

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add id, timestamp and signature as headers."""
        body = request.body if isinstance(request.body, bytes) else b""
        webhook_id = f"msg_{hashlib.sha256(body).hexdigest()[:32]}"
        timestamp = int(self._clock())
        request.headers["webhook-id"] = webhook_id
        request.headers["webhook-timestamp"] = str(timestamp)
        request.headers["webhook-signature"] = sign(self._secret, webhook_id, timestamp, body)
        return request


def sign(secret: bytes, webhook_id: str, timestamp: int, body: bytes) -> str:
    """The signature of one attempt, prefixed with the scheme's version."""
    digest = hmac.digest(secret, f"{webhook_id}.{timestamp}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


def decode_secret(write_key: str) -> bytes:
    """The signing key: base64 after `whsec_`, otherwise the text as it is.

    Raises ValueError if it is invalid base64.
    """
    if not write_key.startswith(_ENCODED):
        return write_key.encode()
    encoded = write_key.removeprefix(_ENCODED).rstrip("=")
    secret = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    if not secret:
        raise ValueError("no bytes")
    return secret


def _classify(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> Outcome:
    """As for other APIs, but a success may have any plain text as its body."""
    if 200 <= status <= 299 and status != HTTPStatus.MULTI_STATUS and _is_plain_text(body):
        return Delivered()
    return classify_response(status, headers, body, now=now)


def _is_plain_text(body: bytes) -> bool:
    """Whether it is neither a web page, as from a proxy or a login, nor JSON."""
    try:
        text = body.decode().lstrip("\ufeff \t\r\n")
    except UnicodeDecodeError:
        return False
    return "<" not in text and not text.startswith(("{", "["))


def _find_problems(settings: TargetSettings) -> Iterator[str]:
    try:
        decode_secret(settings.write_key or "")
    except (binascii.Error, ValueError):
        yield (
            "Setting `write_key` for webhook begins with whsec_, but the rest is not base64. Copy "
            "it again, or omit the prefix to use the text as it is."
        )


PROFILE = HttpProfile(
    name="webhook",
    call_max_bytes=64 * 1024,
    batch_max_bytes=100_000,  # receivers' default limits: Express 100 KB, nginx 1 MB
    path=lambda _: "",
    authenticate=Signature,
    classify=_classify,
    find_further_problems=_find_problems,
)


@hookimpl
def register_destinations(register: Any) -> None:
    """Register `webhook`."""
    register(PROFILE.as_destination())
