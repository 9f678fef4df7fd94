"""A plain HTTP client for the collector's tests."""

from __future__ import annotations

import base64
import http.client
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from sandbox.collector import DEFAULT_WRITE_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.collector import Collector

IDENTIFY = {"type": "identify", "userId": "u1", "messageId": "m1", "traits": {"a": 1}}
NAMELESS = {"type": "track", "userId": "u2", "messageId": "m2"}


@dataclass(frozen=True, slots=True)
class Response:
    """A response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The parsed body."""
        return orjson.loads(self.body)


class Client:
    """One kept-alive connection to a collector."""

    def __init__(self, collector: Collector, key: str = DEFAULT_WRITE_KEY) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", collector.port, timeout=10)
        self._key = base64.b64encode(f"{key}:".encode()).decode()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def post(self, path: str, body: object, **headers: str) -> Response:
        """POST a value as JSON, or bytes unchanged."""
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", path, raw, {"Authorization": f"Basic {self._key}", **sent})

    def batch(self, *calls: object, **headers: str) -> Response:
        """POST calls to /v1/batch."""
        return self.post("/v1/batch", {"batch": calls}, **headers)

    def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Response:
        """Send any request."""
        self._connection.request(method, path, body, dict(headers or {}))
        response = self._connection.getresponse()
        return Response(response.status, dict(response.headers), response.read())
