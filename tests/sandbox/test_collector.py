from __future__ import annotations

import gzip
import http.client
import threading
import time

import orjson
import pytest

from sandbox.collector import Behaviour, Collector
from tests.sandbox.collector_client import IDENTIFY, NAMELESS, Client


@pytest.fixture
def collector():
    """A running collector."""
    with Collector() as running:
        yield running


@pytest.fixture
def client(collector):
    """A connection to the collector."""
    with Client(collector) as connected:
        yield connected


def test_calls_are_recorded_in_order(collector, client):
    """Each call has its receipt, request number, type and messageId."""
    client.post("/v1/identify", {"userId": "u0", "messageId": "m0"})
    client.batch(IDENTIFY, {**IDENTIFY, "type": "page", "name": "Home", "messageId": "m2"})

    described = [(c.receipt, c.request, c.type, c.message_id) for c in collector.calls]
    assert described == [(1, 1, "identify", "m0"), (2, 2, "identify", "m1"), (3, 2, "page", "m2")]


def test_wrong_key_is_not_authorized(collector):
    """A request with another key gets 401, and its calls are not accepted."""
    with Client(collector, key="another") as stranger:
        assert stranger.batch(IDENTIFY).status == 401
    assert collector.calls == []


def test_key_is_not_recorded(collector, client):
    """The log of a request does not contain its key."""
    client.batch(IDENTIFY)

    assert "authorization" not in str(collector.requests).lower()


def test_strict_mode_rejects_the_whole_batch(collector, client):
    """In strict mode one invalid call makes the batch 400, and no call is accepted."""
    response = client.batch(IDENTIFY, NAMELESS, X_Strict_Mode="1")

    assert response.status == 400
    assert response.json()["meta"]["errors"] == ["batch[1]: `event` is required: a string"]
    assert collector.calls == []


def test_invalid_call_is_dropped_without_strict_mode(collector, client):
    """Without strict mode the status is 200, and the invalid call is dropped silently."""
    response = client.batch(IDENTIFY, NAMELESS)

    assert response.status == 200
    assert [call.body for call in collector.calls] == [IDENTIFY]


def test_unknown_path_is_not_found(client):
    """A path that the API does not have gets 404."""
    assert client.post("/v1/invoice", IDENTIFY).status == 404
    assert client.request("GET", "/v1/batch").status == 404


def test_gzip_body_is_decompressed(collector, client):
    """A gzip body is accepted, and the request records its encoding and its bytes on the wire."""
    packed = gzip.compress(orjson.dumps({"batch": [IDENTIFY]}))

    client.post("/v1/batch", packed, Content_Encoding="gzip")

    assert len(collector.calls) == 1
    assert (collector.requests[0].encoding, collector.requests[0].body_bytes) == (
        "gzip",
        len(packed),
    )


def test_statuses_follow_the_script(collector, client):
    """A script applies request by request; after it the API responds as usual."""
    collector.script(
        [Behaviour(status=503, times=2), {"status": 429, "headers": {"Retry-After": "7"}}]
    )

    responses = [client.batch(IDENTIFY) for _ in range(4)]

    assert [response.status for response in responses] == [503, 503, 429, 200]
    assert responses[2].headers["Retry-After"] == "7"
    assert [request.calls for request in collector.requests] == [0, 0, 0, 1]


@pytest.mark.parametrize(("when", "accepted"), [("before", 0), ("after", 1)])
def test_connection_drops_before_or_after_the_commit(collector, client, when, accepted):
    """A dropped connection gets no response, and the call is accepted only after the commit."""
    collector.script([Behaviour(drop=when)])

    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        client.batch(IDENTIFY)

    assert len(collector.calls) == accepted
    assert collector.requests[0].status is None


def test_failure_after_the_commit_keeps_the_calls(collector, client):
    """A scripted status may follow the commit."""
    collector.script([Behaviour(status=500, commit=True)])

    assert client.batch(IDENTIFY).status == 500
    assert len(collector.calls) == 1


def test_html_response_commits_nothing(collector, client):
    """A scripted 200 in HTML accepts no calls."""
    collector.script(
        [Behaviour(status=200, body="<html>Sign in</html>", headers={"Content-Type": "text/html"})]
    )

    assert client.batch(IDENTIFY).body == b"<html>Sign in</html>"
    assert collector.calls == []


def test_redirect_points_where_the_script_says(collector, client):
    """A scripted redirect has its Location."""
    collector.script([Behaviour(status=302, headers={"Location": "http://127.0.0.1:9/v1"})])

    assert client.batch(IDENTIFY).headers["Location"] == "http://127.0.0.1:9/v1"


def test_response_is_padded_and_dripped(collector, client):
    """A response can be long, and sent byte by byte."""
    collector.script(
        [Behaviour(padding_bytes=2_000_000), Behaviour(padding_bytes=20, drip_seconds=0.002)]
    )
    assert len(client.batch(IDENTIFY).body) == 2_000_000
    started = time.monotonic()

    client.batch(IDENTIFY)

    assert time.monotonic() - started > 0.04


def test_gzip_bomb_is_small_on_the_wire(collector, client):
    """A gzip bomb decompresses to many times its size."""
    collector.script([Behaviour(gzip_bytes=5_000_000)])

    response = client.batch(IDENTIFY)

    assert len(response.body) < 50_000
    assert len(gzip.decompress(response.body)) == 5_000_000


def test_delay_comes_after_the_commit(collector, client):
    """A delayed response finds its call already accepted."""
    collector.script([Behaviour(delay_seconds=0.1)])
    started = time.monotonic()

    client.batch(IDENTIFY)

    assert time.monotonic() - started >= 0.1
    assert time.time() - collector.calls[0].arrived_at >= 0.1


def test_probability_is_reproducible(collector, client):
    """With the same seed, a probable failure hits the same requests."""

    def statuses() -> list[int]:
        collector.script([Behaviour(status=500, probability=0.5, seed=3, times=None)])
        return [client.batch(IDENTIFY).status for _ in range(40)]

    first = statuses()

    assert first == statuses()
    assert 8 < first.count(500) < 32


def test_behaviour_can_wait_for_a_text(collector, client):
    """A behaviour with `contains` does not apply to other requests."""
    collector.script([Behaviour(status=400, contains="poison", times=None)])

    assert client.batch(IDENTIFY).status == 200
    assert client.batch({**IDENTIFY, "userId": "poison"}).status == 400


def test_another_process_reads_and_scripts(client):
    """Calls, requests and the script are reachable over HTTP."""
    client.post("/script", [{"status": 503}])
    client.batch(IDENTIFY)
    client.batch(IDENTIFY)

    calls = client.request("GET", "/calls").json()
    requests = client.request("GET", "/requests").json()
    assert [call["call"] for call in calls] == [IDENTIFY]
    assert [request["status"] for request in requests] == [503, 200]
    assert client.post("/script", [{"stauts": 503}]).status == 400


def test_clearing_restarts_numbers(collector, client):
    """After DELETE /calls the log is empty, and numbers restart at 1."""
    client.batch(IDENTIFY)
    client.request("DELETE", "/calls")
    client.batch(IDENTIFY)

    assert [(call.receipt, call.request) for call in collector.calls] == [(1, 1)]


def test_waiting_for_calls_ends_with_the_last(collector, client):
    """`wait_for_calls` returns once the calls are there, and raises if they do not come."""
    sender = threading.Thread(target=lambda: client.batch(IDENTIFY, IDENTIFY))
    sender.start()

    assert len(collector.wait_for_calls(2)) == 2
    sender.join()
    with pytest.raises(TimeoutError, match="2 calls, not 3"):
        collector.wait_for_calls(3, timeout_seconds=0.01)


def test_many_connections_lose_nothing(collector):
    """With eight concurrent clients every call is accepted once, and receipts have no gap."""

    def send(sender: int) -> None:
        with Client(collector) as own:
            for number in range(20):
                own.batch({**IDENTIFY, "messageId": f"{sender}-{number}"})

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [call.receipt for call in collector.calls] == list(range(1, 161))
    assert len({call.message_id for call in collector.calls}) == 160


def test_stopping_ends_kept_connections_and_threads():
    """No thread outlives the collector, even while a client waits for its response."""
    before = threading.active_count()
    collector = Collector()
    collector.start()
    collector.script([Behaviour(delay_seconds=60)])
    with Client(collector) as client:
        waiting = threading.Thread(target=_ignore_the_end, args=(client,))
        waiting.start()
        collector.wait_for_calls(1)

        collector.stop()

        waiting.join()
        assert threading.active_count() == before


def _ignore_the_end(client: Client) -> None:
    try:
        client.batch(IDENTIFY)
    except (OSError, http.client.HTTPException):
        return
