"""What the collector remembers: calls in the order of their commit, and requests."""

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
    """A call that was committed.

    Attributes:
        receipt: its place in the order of commits, from 1.
        request: the number of the request that brought it.
        type: `identify`, `track`, …
        message_id: its `messageId`; empty if it has none.
        arrived_at: when its request was complete, in unix seconds.
        raw: its JSON exactly as it came.
    """

    receipt: int
    request: int
    type: str
    message_id: str
    arrived_at: float
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        """The call, parsed; decimals become floats, `raw` keeps their digits."""
        parsed: dict[str, Any] = orjson.loads(self.raw)
        return parsed


@dataclass(frozen=True, slots=True)
class Request:
    """A request, whatever became of it.

    Attributes:
        number: its place in the order of arrival, from 1.
        headers: as they came, without `Authorization`.
        status: what was answered; None if the connection was dropped instead.
        body_bytes: length of the body on the wire.
        body_digest: SHA-256 of the body, to recognise a repeat.
        encoding: its Content-Encoding; empty if it has none.
        calls: how many calls of it were committed.
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
    """Calls and requests; safe to use from many threads."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._requests: list[Request] = []
        self._next_request = 1
        self._changed = threading.Condition()

    @property
    def calls(self) -> list[Call]:
        """All calls so far."""
        with self._changed:
            return self._calls.copy()

    @property
    def requests(self) -> list[Request]:
        """All requests that are over, in the order of their arrival."""
        with self._changed:
            return sorted(self._requests, key=lambda request: request.number)

    def next_request_number(self) -> int:
        """A number for a request that has arrived."""
        with self._changed:
            self._next_request += 1
            return self._next_request - 1

    def commit(
        self, received: Sequence[ReceivedCall], *, endpoint: str, request: int, arrived_at: float
    ) -> None:
        """Remember the calls of one request, all at once."""
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
        """Remember a request that is over."""
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()

    def forget(self) -> None:
        """Forget calls and requests; numbers begin again at 1."""
        with self._changed:
            self._calls.clear()
            self._requests.clear()
            self._next_request = 1

    def wait_for_calls(self, count: int, timeout_seconds: float) -> list[Call]:
        """All calls, as soon as there are `count`. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._calls) >= count, timeout_seconds):
                raise TimeoutError(f"{len(self._calls)} calls, not {count}, in {timeout_seconds} s")
            return self._calls.copy()

    def wait_for_requests(self, count: int, timeout_seconds: float) -> list[Request]:
        """All requests that are over, as soon as there are `count`. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._requests) >= count, timeout_seconds):
                raise TimeoutError(
                    f"{len(self._requests)} requests, not {count}, in {timeout_seconds} s"
                )
            return self._requests.copy()
