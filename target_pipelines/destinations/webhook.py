"""Anyone's endpoint, with requests signed as the Standard Webhooks specification (1.0.0) says."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Any

from target_pipelines.api.hookspecs import hookimpl
from target_pipelines.api.outcomes import Delivered, Outcome
from target_pipelines.destinations.http import HttpProfile
from target_pipelines.destinations.responses import classify_response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from requests import PreparedRequest

    from target_pipelines.api.settings import TargetSettings

_ENCODED = "whsec_"


class Signature:
    """Signs requests: the bytes on the wire, an id that a repeat shares, and the attempt's time."""

    def __init__(self, write_key: str, clock: Callable[[], float] = time.time) -> None:
        self._secret = decode_secret(write_key)
        self._clock = clock

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the three headers."""
        body = request.body if isinstance(request.body, bytes) else b""
        webhook_id = f"msg_{hashlib.sha256(body).hexdigest()[:32]}"
        timestamp = int(self._clock())
        request.headers["webhook-id"] = webhook_id
        request.headers["webhook-timestamp"] = str(timestamp)
        request.headers["webhook-signature"] = sign(self._secret, webhook_id, timestamp, body)
        return request


def sign(secret: bytes, webhook_id: str, timestamp: int, body: bytes) -> str:
    """The signature of one attempt, with the version of its scheme."""
    digest = hmac.digest(secret, f"{webhook_id}.{timestamp}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


def decode_secret(write_key: str) -> bytes:
    """The bytes that sign: after `whsec_` they are in base64, otherwise they are the text's.

    Raises ValueError if what should be base64 is not.
    """
    if not write_key.startswith(_ENCODED):
        return write_key.encode()
    encoded = write_key.removeprefix(_ENCODED).rstrip("=")
    secret = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    if not secret:
        raise ValueError("no bytes")
    return secret


def _judge(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> Outcome:
    """As for all APIs, but a success may say anything in plain words: receivers have no form."""
    if 200 <= status <= 299 and _is_plain_text(body):
        return Delivered()
    return classify_response(status, headers, body, now=now)


def _is_plain_text(body: bytes) -> bool:
    """Whether it is text, but no page: that comes from a proxy or a login; and no JSON."""
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
            "Setting `write_key` for webhook begins with whsec_, but what follows is no base64: "
            "copy it again, or leave the prefix out to use the text as it is."
        )


PROFILE = HttpProfile(
    name="webhook",
    call_max_bytes=64 * 1024,
    batch_max_bytes=100_000,  # what receivers take unless they are told: Express 100 KB, nginx 1 MB
    path=lambda _: "",
    authenticate=Signature,
    judge=_judge,
    find_further_problems=_find_problems,
)


@hookimpl
def register_destinations(register: Any) -> None:
    """Offer `webhook`."""
    register(PROFILE.as_destination())
