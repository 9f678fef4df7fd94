"""Responses as bytes on the wire: complete, truncated, and malformed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from target_pipelines.api.outcomes import Delivered, Retry
from tests.reliability.raw_responses import RawResponses, raw_responses

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = b'{"success":true}'
COMPLETE = {
    "with a length": b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 16\r\n\r\n" + BODY,
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n%b\r\n0\r\n\r\n"
    % BODY,
    "without a body": b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n",
    "without a length": b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\n",
}


@pytest.fixture(scope="module")
def server() -> Iterator[RawResponses]:
    """A server that responds with given bytes."""
    with raw_responses() as server:
        yield server


@pytest.mark.parametrize("response", COMPLETE.values(), ids=list(COMPLETE))
def test_truncated_response_acknowledges_nothing(server, response):
    """A response that is cut anywhere, in its head or body, is retried."""
    ends_in_chunk = response.endswith(b"0\r\n\r\n")  # the last line break carries no information
    cuts = range(len(response) - (4 if ends_in_chunk else 0))

    outcomes = {size: server.classify(response[:size]) for size in cuts}

    assert isinstance(server.classify(response), Delivered)
    assert [size for size, found in outcomes.items() if not isinstance(found, Retry)] == []


def test_interim_responses_and_long_headers_are_read(server):
    """A response after several interim ones, with long headers, still counts."""
    interim = b"".join(b"HTTP/1.1 %d X\r\nLink: y\r\n\r\n" % status for status in (100, 102, 103))
    padding = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 500) for number in range(50))
    head = b"HTTP/1.1 200 OK\r\n%bContent-Length: 16\r\n\r\n" % padding

    assert isinstance(server.classify(interim + head + BODY), Delivered)


GARBAGE = {
    "a header without a colon": b"HTTP/1.1 503 No\r\ncanary-4711\r\n\r\n",
    "an invalid length": b"HTTP/1.1 503 No\r\nContent-Length: canary-4711\r\n\r\n",
    "an invalid version": b"canary-4711\r\n\r\n",
    "an invalid status": b"HTTP/1.1 canary-4711 OK\r\n\r\n",
    "an invalid chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ncanary-4711\r\n",
    "a header without an end": b"HTTP/1.1 200 OK\r\ncanary-4711: " + b"x" * 100_000,
    "too many headers": b"HTTP/1.1 200 OK\r\n" + b"canary-4711: x\r\n" * 200,
}


@pytest.mark.parametrize("response", GARBAGE.values(), ids=list(GARBAGE))
def test_malformed_response_is_retried_and_not_logged(server, caplog, response):
    """A response that is not HTTP counts as none, and nothing of it is logged."""
    caplog.set_level(0)

    outcome = server.classify(response)

    assert isinstance(outcome, Retry)
    assert "canary" not in caplog.text + repr(outcome)
