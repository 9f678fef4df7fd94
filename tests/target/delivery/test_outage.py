from __future__ import annotations

import logging
import queue
import time

import pytest

from target_pipelines.api.calls import EncodedCall
from target_pipelines.delivery.outage import Outage

CALL = EncodedCall(b"{}", "s", "identify", "1", 0)


@pytest.fixture
def messages():
    """The log messages, as they come."""
    received: queue.Queue[str] = queue.Queue()
    handler = logging.Handler()
    handler.emit = lambda entry: received.put(entry.getMessage())  # type: ignore[assignment]
    logger = logging.getLogger("target_pipelines.delivery.outage")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield received
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def _outage(interval_seconds: float) -> Outage:
    return Outage(
        "api",
        max_retry_seconds=600,
        count_waiting=lambda: 7,
        interval_seconds=interval_seconds,
    )


def test_line_is_repeated_while_no_lane_does_anything(messages):
    """Retry-After and timeouts may keep all lanes waiting for longer than the interval."""
    outage = _outage(0.02)
    batch = [CALL, CALL]

    outage.add(batch, "HTTP 503", time.monotonic() + 600)
    lines = [messages.get(timeout=10) for _ in range(3)]
    outage.end_of(batch)

    assert lines[0].startswith(
        'Destination "api" does not accept calls: HTTP 503. Retrying 1 batch with 2 calls; '
        "7 more calls are queued. The run stops in"
    )
    assert {line[:60] for line in lines} == {lines[0][:60]}


def test_all_lanes_share_one_line(messages):
    """The end is logged when the last batch is through, and nothing after it."""
    outage = _outage(60)
    batches = [[CALL], [CALL], [CALL]]

    for batch in batches:
        outage.add(batch, "no response (connection)", time.monotonic() + 600)
    assert "does not accept calls" in messages.get(timeout=10)
    for batch in batches:
        outage.end_of(batch)

    assert "accepts calls again" in messages.get(timeout=10)
    assert messages.empty()


def test_stopped_run_logs_no_recovery(messages):
    """Its own error says why it stopped."""
    outage = _outage(60)
    outage.add([CALL], "HTTP 503", time.monotonic() + 600)
    messages.get(timeout=10)

    outage.end()

    assert messages.empty()


def test_flapping_destination_is_logged_once_per_interval(messages):
    """Throttling would fill the log otherwise."""
    outage = _outage(60)
    for number in range(20):
        batch = [CALL]
        outage.add(batch, "HTTP 429", time.monotonic() + 600)
        if number == 0:
            messages.get(timeout=10)
        outage.end_of(batch)

    assert "accepts calls again" in messages.get(timeout=10)
    assert messages.empty()
