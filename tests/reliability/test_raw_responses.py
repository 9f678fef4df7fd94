"""Answers as bytes on the wire: whole, cut off, and malformed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from target_pipelines.api.outcomes import Delivered, Retry
from tests.reliability.raw_responses import RawResponses, raw_responses

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = b'{"success":true}'
WHOLE = {
    "with a length": b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 16\r\n\r\n" + BODY,
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n%b\r\n0\r\n\r\n"
    % BODY,
    "without a body": b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n",
    "of a server that says no length": b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\n",
}


@pytest.fixture(scope="module")
def server() -> Iterator[RawResponses]:
    """A server that answers with given bytes."""
    with raw_responses() as server:
        yield server


@pytest.mark.parametrize("answer", WHOLE.values(), ids=list(WHOLE))
def test_answer_counts_only_when_it_is_whole(server, answer):
    """Wherever an answer breaks off, in its head or in its body, nothing was acknowledged."""
    ends_in_chunk = answer.endswith(b"0\r\n\r\n")  # the line break after the last one says nothing
    cuts = range(len(answer) - (4 if ends_in_chunk else 0))

    outcomes = {size: server.judge(answer[:size]) for size in cuts}

    assert isinstance(server.judge(answer), Delivered)
    assert [size for size, found in outcomes.items() if not isinstance(found, Retry)] == []


def test_answer_in_many_packets_is_read(server):
    """A status after several that are none, and long headers: still delivered."""
    interim = b"".join(b"HTTP/1.1 %d X\r\nLink: y\r\n\r\n" % status for status in (100, 102, 103))
    padding = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 500) for number in range(50))
    head = b"HTTP/1.1 200 OK\r\n%bContent-Length: 16\r\n\r\n" % padding

    assert isinstance(server.judge(interim + head + BODY), Delivered)


GARBAGE = {
    "a header without a colon": b"HTTP/1.1 503 No\r\ncanary-4711\r\n\r\n",
    "a length that is none": b"HTTP/1.1 503 No\r\nContent-Length: canary-4711\r\n\r\n",
    "a version that is none": b"canary-4711\r\n\r\n",
    "a status that is none": b"HTTP/1.1 canary-4711 OK\r\n\r\n",
    "a chunk that is none": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ncanary-4711\r\n",
    "a header without an end": b"HTTP/1.1 200 OK\r\ncanary-4711: " + b"x" * 100_000,
    "more headers than allowed": b"HTTP/1.1 200 OK\r\n" + b"canary-4711: x\r\n" * 200,
}


@pytest.mark.parametrize("answer", GARBAGE.values(), ids=list(GARBAGE))
def test_garbage_is_no_answer_and_is_not_logged(server, caplog, answer):
    """What is no HTTP counts as no answer, and nothing of it reaches the log."""
    caplog.set_level(0)

    outcome = server.judge(answer)

    assert isinstance(outcome, Retry)
    assert "canary" not in caplog.text + repr(outcome)
