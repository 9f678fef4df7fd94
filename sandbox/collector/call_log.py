"""The collector's log: calls in commit order, and requests."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.collector.validation import ReceivedCall


@dataclass(frozen=True, slots=True)
class Call:
    """A committed call.

    Attributes:
        receipt: its number in commit order, from 1.
        request: the number of its request.
        type: `identify`, `track`, …
        message_id: its `messageId`; empty if it has none.
        arrived_at: when its request was complete, in unix seconds.
        raw: its JSON exactly as received.
    """

    receipt: int
    request: int
    type: str
    message_id: str
    arrived_at: float
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        """The parsed call; decimals become floats, `raw` keeps their digits."""
        parsed: dict[str, Any] = orjson.loads(self.raw)
        return parsed


@dataclass(frozen=True, slots=True)
class Request:
    """A finished request.

    Attributes:
        number: its number in order of arrival, from 1.
        headers: as received, without credentials.
        status: the response's status; None if the connection was dropped instead.
        body_bytes: length of the body on the wire.
        body_digest: SHA-256 of the body, to detect repeats.
        encoding: its Content-Encoding; empty if it has none.
        calls: how many of its calls were committed.
    """

    number: int
    method: str
    path: str
    headers: Mapping[str, str]
    status: int | None
    body_bytes: int
    body_digest: str
    encoding: str
    calls: int
    arrived_at: float


class CallLog:
    """Calls and requests; thread-safe."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._requests: list[Request] = []
        self._next_request = 1
        self._changed = threading.Condition()

    @property
    def calls(self) -> list[Call]:
        """All calls so far, in commit order."""
        with self._changed:
            return self._calls.copy()

    @property
    def requests(self) -> list[Request]:
        """All finished requests, in order of arrival."""
        with self._changed:
            return sorted(self._requests, key=lambda request: request.number)

    def next_request_number(self) -> int:
        """The number of a request that has arrived."""
        with self._changed:
            self._next_request += 1
            return self._next_request - 1

    def commit(
        self, received: Sequence[ReceivedCall], *, endpoint: str, request: int, arrived_at: float
    ) -> None:
        """Record the calls of one request atomically."""
        with self._changed:
            first = len(self._calls) + 1
            self._calls += [
                Call(
                    receipt=receipt,
                    request=request,
                    type=call.fields["type"] if endpoint == "batch" else endpoint,
                    message_id=str(call.fields.get("messageId", "")),
                    arrived_at=arrived_at,
                    raw=call.raw,
                )
                for receipt, call in enumerate(received, first)
            ]
            self._changed.notify_all()

    def add_request(self, request: Request) -> None:
        """Record a finished request."""
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()

    def forget(self) -> None:
        """Clear calls and requests; numbers restart at 1."""
        with self._changed:
            self._calls.clear()
            self._requests.clear()
            self._next_request = 1

    def wait_for_calls(self, count: int, timeout_seconds: float) -> list[Call]:
        """All calls, once there are `count`. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._calls) >= count, timeout_seconds):
                raise TimeoutError(f"{len(self._calls)} calls, not {count}, in {timeout_seconds} s")
            return self._calls.copy()

    def wait_for_requests(self, count: int, timeout_seconds: float) -> list[Request]:
        """All finished requests, once there are `count`. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._requests) >= count, timeout_seconds):
                raise TimeoutError(
                    f"{len(self._requests)} requests, not {count}, in {timeout_seconds} s"
                )
            return self._requests.copy()
