"""Verifies a webhook's signature and timestamp, written from the specification alone."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from email.message import Message

TOLERANCE_SECONDS = 300
_BLOCK_BYTES = 64


def is_signed(headers: Message, body: bytes, *, secret: str, now: float) -> bool:
    """Whether one of the signatures is valid and the timestamp within five minutes."""
    identifier = headers.get("webhook-id") or ""
    timestamp = headers.get("webhook-timestamp") or ""
    if not (identifier and timestamp.isascii() and timestamp.isdigit()):
        return False
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
    mac = _hmac_sha256(key, f"{identifier}.{timestamp}.".encode() + body)
    expected = "v1," + base64.b64encode(mac).decode()
    return expected in (headers.get("webhook-signature") or "").split(" ")


def _hmac_sha256(key: bytes, message: bytes) -> bytes:
    """RFC 2104, written out, so that it shares no code with the sender."""
    if len(key) > _BLOCK_BYTES:
        key = hashlib.sha256(key).digest()
    block = key.ljust(_BLOCK_BYTES, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in block) + inner).digest()
