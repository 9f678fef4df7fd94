"""How each vendor's API responds to a POST, by its documentation and public sources. Pure.

Sources: Customer.io's OpenAPI description; Segment's documentation; RudderStack's gateway
(`gateway/response`); Jitsu's ingest server (`bulker/ingest`); the Standard Webhooks
specification. For Hightouch only address and authentication are known.
"""

from __future__ import annotations

import base64
import hmac
import zlib
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson

from sandbox.collector.validation import (
    BATCH_MAX_BYTES,
    CALL_MAX_BYTES,
    ENDPOINTS,
    ReceivedCall,
    read_calls,
    validate_body,
)
from sandbox.collector.webhooks import is_signed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from email.message import Message

DISABLED_KEY = "disabled-source"
"""The write key of a disabled RudderStack source."""
UNCONNECTED_KEY = "unconnected-source"
"""The write key of a Jitsu source without a destination."""

_SEGMENT_MAX_CALLS = 2500
_RUDDERSTACK_MAX_BYTES = 4000 * 1024
_JITSU_MAX_BYTES = 1_000_000
_JITSU_MAX_EVENT_NAME_BYTES = 128
_JITSU_PATHS = ENDPOINTS - {"batch"} | {"event"}
_MAX_BODY_BYTES = 64 * 1024 * 1024
_GZIP_WBITS = 31


@dataclass(frozen=True, slots=True)
class PostRequest:
    """A request, with the write key that it must have.

    Attributes:
        path: as received, with its query.
        headers: case-insensitive.
        body: the bytes on the wire.
        write_key: the valid key.
        arrived_at: in unix seconds.
    """

    path: str
    headers: Message
    body: bytes
    write_key: str
    arrived_at: float

    def unpack(self) -> bytes:
        """The decompressed body; empty if the gzip is corrupt."""
        if self.headers.get("Content-Encoding") != "gzip":
            return self.body
        try:
            return zlib.decompressobj(_GZIP_WBITS).decompress(self.body, _MAX_BODY_BYTES)
        except zlib.error:
            return b""

    def has_basic(self, write_key: str) -> bool:
        """Whether it authenticates with this key as user name and an empty password."""
        expected = base64.b64encode(f"{write_key}:".encode()).decode()
        given = self.headers.get("Authorization") or ""
        return hmac.compare_digest(given.encode(), f"Basic {expected}".encode())


@dataclass(frozen=True, slots=True)
class Response:
    """The response, and the calls that are accepted.

    Attributes:
        endpoint: the calls' type by the path; `batch` if each call has its own.
    """

    status: int
    body: bytes
    accepted: tuple[ReceivedCall, ...] = ()
    endpoint: str = "batch"


@dataclass(frozen=True, slots=True)
class Vendor:
    """An API: its base path and its responses."""

    base_path: str
    respond: Callable[[PostRequest], Response]


NOT_FOUND = Response(HTTPStatus.NOT_FOUND, b'{"code":"not_found","message":"no such path"}')
_NOT_AUTHORIZED = Response(HTTPStatus.UNAUTHORIZED, b'{"meta":{"errors":["unauthorized"]}}')
_SUCCESS = b'{"success":true}'


def _customerio(post: PostRequest) -> Response:
    endpoint = post.path.removeprefix("/v1/")
    if endpoint == post.path or endpoint not in ENDPOINTS:
        return NOT_FOUND
    if not post.has_basic(post.write_key):
        return _NOT_AUTHORIZED
    result = validate_body(endpoint, post.unpack())
    if result.errors and post.headers.get("X-Strict-Mode") == "1":
        return Response(HTTPStatus.BAD_REQUEST, orjson.dumps({"meta": {"errors": result.errors}}))
    # Without strict mode invalid calls are dropped silently.
    return Response(HTTPStatus.OK, _SUCCESS, result.accepted, endpoint)


def _segment(post: PostRequest) -> Response:
    """Responds 200 to everything except oversized requests and invalid JSON."""
    if post.path != "/v1/batch":
        return NOT_FOUND
    calls = _read_batch(post)
    if calls is None:
        return _bad_request("malformed JSON")
    if len(post.unpack()) > BATCH_MAX_BYTES:
        return _bad_request("batch is too large")
    if any(len(call.raw) > CALL_MAX_BYTES for call in calls):
        return _bad_request("message is too large")
    if len(calls) > _SEGMENT_MAX_CALLS or not post.has_basic(post.write_key):
        return Response(HTTPStatus.OK, _SUCCESS)
    return Response(HTTPStatus.OK, _SUCCESS, _typed(calls))


def _rudderstack(post: PostRequest) -> Response:
    if post.path != "/v1/batch":
        return NOT_FOUND
    if post.has_basic(DISABLED_KEY):
        return Response(HTTPStatus.NOT_FOUND, b"Source is disabled")
    if not post.has_basic(post.write_key):
        return Response(HTTPStatus.UNAUTHORIZED, b"Invalid Write Key")
    if len(post.unpack()) > _RUDDERSTACK_MAX_BYTES:
        return Response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"Request size exceeds max limit")
    calls = _read_batch(post)
    if calls is None:
        return Response(HTTPStatus.BAD_REQUEST, b"Invalid JSON")
    return Response(HTTPStatus.OK, b"OK", _typed(calls))


def _hightouch(post: PostRequest) -> Response:
    if post.path != "/v1/batch":
        return NOT_FOUND
    if not post.has_basic(post.write_key):
        return _NOT_AUTHORIZED
    calls = _read_batch(post)
    if calls is None:
        return _bad_request("malformed JSON")
    return Response(HTTPStatus.OK, _SUCCESS, _typed(calls))


def _jitsu(post: PostRequest) -> Response:
    """One event without an envelope; gzip is not decompressed here, so it is invalid JSON."""
    kind = post.path.removeprefix("/api/s/s2s/")
    if kind == post.path:
        return NOT_FOUND
    key = post.headers.get("X-Write-Key")
    call = _read_single(post.body)
    if call is None:
        return _error(HTTPStatus.BAD_REQUEST, "error parsing message")
    if key not in (post.write_key, UNCONNECTED_KEY):
        return _error(HTTPStatus.UNAUTHORIZED, "stream not found")
    if problem := _find_jitsu_problem(kind, call):
        return _error(HTTPStatus.BAD_REQUEST, f"event error: {problem}")
    if key == UNCONNECTED_KEY:
        return _error(HTTPStatus.OK, "no destinations found for stream")
    kept_as = call.fields["type"] if kind == "event" else kind
    return Response(HTTPStatus.OK, b'{"ok":true}', (call,), kept_as)


def _find_jitsu_problem(kind: str, call: ReceivedCall) -> str:
    of_type = call.fields.get("type") if kind == "event" else kind
    if of_type not in _JITSU_PATHS - {"event"}:
        return "Unknown event type"
    name = str(call.fields.get("event", ""))
    if of_type == "track" and not 0 < len(name.encode()) <= _JITSU_MAX_EVENT_NAME_BYTES:
        return "'event' property is required for 'track' event, and limited"
    return "message size is too big" if len(call.raw) > _JITSU_MAX_BYTES else ""


def _webhook(post: PostRequest) -> Response:
    """A strict receiver: checks the signature first; responses have no body."""
    if not is_signed(post.headers, post.body, secret=post.write_key, now=post.arrived_at):
        return Response(HTTPStatus.UNAUTHORIZED, b"")
    calls = _read_batch(post)
    if calls is None:
        return Response(HTTPStatus.BAD_REQUEST, b"")
    return Response(HTTPStatus.NO_CONTENT, b"", _typed(calls))


VENDORS: Mapping[str, Vendor] = {
    "customerio": Vendor("/v1", _customerio),
    "hightouch": Vendor("/v1", _hightouch),
    "jitsu": Vendor("", _jitsu),
    "rudderstack": Vendor("/v1", _rudderstack),
    "segment": Vendor("/v1", _segment),
    "webhook": Vendor("/hooks/calls?source=sql", _webhook),
}


def _bad_request(message: str) -> Response:
    return Response(HTTPStatus.BAD_REQUEST, orjson.dumps({"success": False, "message": message}))


def _error(status: HTTPStatus, message: str) -> Response:
    return Response(status, orjson.dumps({"error": message}))


def _read_batch(post: PostRequest) -> tuple[ReceivedCall, ...] | None:
    """The calls of `{"batch": [...]}`; None if the body is something else."""
    try:
        calls = read_calls("batch", post.unpack().decode())
    except ValueError:
        return None
    return None if calls is None else tuple(calls)


def _read_single(body: bytes) -> ReceivedCall | None:
    try:
        calls = read_calls("event", body.decode())
    except ValueError:
        return None
    return calls[0] if calls and isinstance(calls[0].fields, dict) else None


def _typed(calls: tuple[ReceivedCall, ...]) -> tuple[ReceivedCall, ...]:
    """The calls that have a type."""
    return tuple(
        call
        for call in calls
        if isinstance(call.fields, dict) and isinstance(call.fields.get("type"), str)
    )
