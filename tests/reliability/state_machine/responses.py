"""The responses that the stub destination can give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_pipelines import Outcome, Retry, classify_response
from tests.reliability.http_responses import NOW

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class StubResponse:
    """An HTTP response, or none.

    Attributes:
        status: the HTTP status; 0 if there is no response.
        has_arrived: the destination took the calls although the response does not say so.
    """

    status: int
    body: bytes = b"{}"
    retry_after: int | None = None
    has_arrived: bool = False

    @property
    def outcome(self) -> Outcome:
        """The outcome, classified as the HTTP destinations do it."""
        if self.status == 0:
            return Retry("no response (timeout)")
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return classify_response(self.status, headers, self.body, now=NOW)


DELIVERED = StubResponse(200, b'{"success":true}')
REJECTED = StubResponse(400)
UNAUTHORIZED = StubResponse(401)
RESPONSES: Mapping[str, StubResponse] = {
    "delivered": DELIVERED,
    "400": REJECTED,
    "413": StubResponse(413),
    "success: false": StubResponse(200, b'{"success":false}'),
    "429": StubResponse(429),
    "429 for 7 s": StubResponse(429, retry_after=7),
    "429 for 90 s": StubResponse(429, retry_after=90),
    "500": StubResponse(500),
    "503 for 3 s": StubResponse(503, retry_after=3),
    "502, but arrived": StubResponse(502, has_arrived=True),
    "timeout": StubResponse(0),
    "timeout, but arrived": StubResponse(0, has_arrived=True),
    "reset": StubResponse(0),
    "reset, but arrived": StubResponse(0, has_arrived=True),
}
