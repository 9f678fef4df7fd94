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
    """A connection to it."""
    with Client(collector) as connected:
        yield connected


def test_calls_are_remembered_in_order(collector, client):
    """Each call has its receipt, its request's number, its type and its messageId."""
    client.post("/v1/identify", {"userId": "u0", "messageId": "m0"})
    client.batch(IDENTIFY, {**IDENTIFY, "type": "page", "name": "Home", "messageId": "m2"})

    described = [(c.receipt, c.request, c.type, c.message_id) for c in collector.calls]
    assert described == [(1, 1, "identify", "m0"), (2, 2, "identify", "m1"), (3, 2, "page", "m2")]


def test_wrong_key_is_not_authorized(collector):
    """A request with another key is answered 401 and its calls are not accepted."""
    with Client(collector, key="another") as stranger:
        assert stranger.batch(IDENTIFY).status == 401
    assert collector.calls == []


def test_key_is_not_remembered(collector, client):
    """What is remembered of a request does not hold its key."""
    client.batch(IDENTIFY)

    assert "authorization" not in str(collector.requests).lower()


def test_strict_mode_refuses_the_whole_batch(collector, client):
    """With strict mode one faulty call makes the batch 400, and nothing of it is accepted."""
    response = client.batch(IDENTIFY, NAMELESS, X_Strict_Mode="1")

    assert response.status == 400
    assert response.json()["meta"]["errors"] == ["batch[1]: `event` is required: a string"]
    assert collector.calls == []


def test_faulty_call_vanishes_without_strict_mode(collector, client):
    """Without strict mode the answer is 200, and the faulty call is thrown away in silence."""
    response = client.batch(IDENTIFY, NAMELESS)

    assert response.status == 200
    assert [call.body for call in collector.calls] == [IDENTIFY]


def test_unknown_path_is_not_found(client):
    """A path that the API does not have is answered 404."""
    assert client.post("/v1/invoice", IDENTIFY).status == 404
    assert client.request("GET", "/v1/batch").status == 404


def test_gzip_body_is_unpacked(collector, client):
    """A body in gzip is taken, and the request says its encoding and its bytes on the wire."""
    packed = gzip.compress(orjson.dumps({"batch": [IDENTIFY]}))

    client.post("/v1/batch", packed, Content_Encoding="gzip")

    assert len(collector.calls) == 1
    assert (collector.requests[0].encoding, collector.requests[0].body_bytes) == (
        "gzip",
        len(packed),
    )


def test_statuses_are_answered_in_turn(collector, client):
    """A script is followed request by request; after it the API answers as usual."""
    collector.script(
        [Behaviour(status=503, times=2), {"status": 429, "headers": {"Retry-After": "7"}}]
    )

    answers = [client.batch(IDENTIFY) for _ in range(4)]

    assert [answer.status for answer in answers] == [503, 503, 429, 200]
    assert answers[2].headers["Retry-After"] == "7"
    assert [request.calls for request in collector.requests] == [0, 0, 0, 1]


@pytest.mark.parametrize(("when", "accepted"), [("before", 0), ("after", 1)])
def test_connection_drops_before_or_after_the_commit(collector, client, when, accepted):
    """A dropped connection leaves no answer, and the call is accepted only after the commit."""
    collector.script([Behaviour(drop=when)])

    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        client.batch(IDENTIFY)

    assert len(collector.calls) == accepted
    assert collector.requests[0].status is None


def test_failure_after_the_commit_keeps_the_calls(collector, client):
    """A scripted status may come after the commit."""
    collector.script([Behaviour(status=500, commit=True)])

    assert client.batch(IDENTIFY).status == 500
    assert len(collector.calls) == 1


def test_page_of_a_portal_is_no_commit(collector, client):
    """A scripted 200 in HTML keeps nothing."""
    collector.script(
        [Behaviour(status=200, body="<html>Sign in</html>", headers={"Content-Type": "text/html"})]
    )

    assert client.batch(IDENTIFY).body == b"<html>Sign in</html>"
    assert collector.calls == []


def test_redirect_points_where_the_script_says(collector, client):
    """A scripted redirect carries its Location."""
    collector.script([Behaviour(status=302, headers={"Location": "http://127.0.0.1:9/v1"})])

    assert client.batch(IDENTIFY).headers["Location"] == "http://127.0.0.1:9/v1"


def test_answer_is_padded_and_dripped(collector, client):
    """An answer can be long, and come byte by byte."""
    collector.script(
        [Behaviour(padding_bytes=2_000_000), Behaviour(padding_bytes=20, drip_seconds=0.002)]
    )
    assert len(client.batch(IDENTIFY).body) == 2_000_000
    started = time.monotonic()

    client.batch(IDENTIFY)

    assert time.monotonic() - started > 0.04


def test_gzip_bomb_is_small_on_the_wire(collector, client):
    """A gzip bomb unpacks to many times its size."""
    collector.script([Behaviour(gzip_bytes=5_000_000)])

    answer = client.batch(IDENTIFY)

    assert len(answer.body) < 50_000
    assert len(gzip.decompress(answer.body)) == 5_000_000


def test_delay_comes_after_the_commit(collector, client):
    """A delayed answer finds its call already accepted."""
    collector.script([Behaviour(delay_seconds=0.1)])
    started = time.monotonic()

    client.batch(IDENTIFY)

    assert time.monotonic() - started >= 0.1
    assert time.time() - collector.calls[0].arrived_at >= 0.1


def test_dice_fall_alike_for_the_same_seed(collector, client):
    """A probable failure hits the same requests whenever the seed is the same."""

    def statuses() -> list[int]:
        collector.script([Behaviour(status=500, probability=0.5, seed=3, times=None)])
        return [client.batch(IDENTIFY).status for _ in range(40)]

    first = statuses()

    assert first == statuses()
    assert 8 < first.count(500) < 32


def test_behaviour_can_wait_for_a_text(collector, client):
    """A behaviour with `contains` lets other requests pass."""
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


def test_forgetting_begins_again(collector, client):
    """After DELETE /calls there is nothing, and numbers begin at 1."""
    client.batch(IDENTIFY)
    client.request("DELETE", "/calls")
    client.batch(IDENTIFY)

    assert [(call.receipt, call.request) for call in collector.calls] == [(1, 1)]


def test_waiting_for_calls_ends_with_the_last(collector, client):
    """`wait_for_calls` returns when the calls are there and raises when they do not come."""
    sender = threading.Thread(target=lambda: client.batch(IDENTIFY, IDENTIFY))
    sender.start()

    assert len(collector.wait_for_calls(2)) == 2
    sender.join()
    with pytest.raises(TimeoutError, match="2 calls, not 3"):
        collector.wait_for_calls(3, timeout_seconds=0.01)


def test_many_connections_lose_nothing(collector):
    """Eight clients at once: every call is accepted once, and receipts have no gap."""

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
    """No thread outlives the collector, even while a client waits for its answer."""
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
