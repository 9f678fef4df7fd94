"""The collector as other vendors' APIs, and as a webhook receiver."""

from __future__ import annotations

import base64
from email.message import Message
from typing import Any

import orjson
import pytest

from sandbox.collector import VENDORS, Collector
from sandbox.collector.vendors import DISABLED_KEY, UNCONNECTED_KEY, PostRequest, Response
from sandbox.collector.webhooks import is_signed
from tests.sandbox.collector_client import IDENTIFY, Client

KEY = "k"
TRACK = {"type": "track", "userId": "1", "event": "e"}


def _post(vendor: str, path: str, body: object, **headers: str) -> Response:
    message = Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return VENDORS[vendor].respond(PostRequest(path, message, raw, KEY, arrived_at=0))


def _basic(vendor: str, body: object, key: str = KEY) -> Response:
    encoded = base64.b64encode(f"{key}:".encode()).decode()
    return _post(vendor, "/v1/batch", body, Authorization=f"Basic {encoded}")


def _batch(*calls: object) -> dict[str, Any]:
    return {"batch": calls}


def _jitsu(kind: str, body: object, key: str = KEY) -> Response:
    return _post("jitsu", f"/api/s/s2s/{kind}", body, X_Write_Key=key)


@pytest.mark.parametrize("vendor", ["customerio", "hightouch", "rudderstack", "segment"])
def test_batch_is_accepted_by_every_vendor_with_batches(vendor):
    """A batch with the right key is accepted, call by call."""
    response = _basic(vendor, _batch(IDENTIFY, TRACK))

    assert response.status == 200
    assert [call.fields for call in response.accepted] == [IDENTIFY, TRACK]


@pytest.mark.parametrize(
    ("vendor", "status"),
    [("customerio", 401), ("hightouch", 401), ("rudderstack", 401), ("segment", 200)],
)
def test_wrong_key_is_rejected(vendor, status):
    """A wrong key is rejected; Segment responds 200 even then."""
    response = _basic(vendor, _batch(IDENTIFY), key="other")

    assert (response.status, response.accepted) == (status, ())


@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_other_path_is_not_found(vendor):
    """A vendor responds only on its own paths; a webhook's path is arbitrary."""
    expected = 401 if vendor == "webhook" else 404

    assert _post(vendor, "/v2/batch", _batch(IDENTIFY)).status == expected


@pytest.mark.parametrize(("count", "accepted"), [(2500, 2500), (2501, 0)])
def test_segment_drops_long_batches(count, accepted):
    """Above 2,500 events Segment responds 200 all the same."""
    response = _basic("segment", _batch(*[{"type": "track"}] * count))

    assert (response.status, len(response.accepted)) == (200, accepted)


@pytest.mark.parametrize(
    ("vendor", "calls", "status"),
    [
        ("segment", [{"type": "track", "p": "x" * 33_000}], 400),
        ("segment", [{"type": "track", "p": "x" * 30_000}] * 18, 400),
        ("segment", [{"type": "track", "p": "x" * 30_000}] * 16, 200),
        ("rudderstack", [{"type": "track", "p": "x" * 4_096_001}], 413),
        ("rudderstack", [{"type": "track", "p": "x" * 4_000_000}], 200),
    ],
)
def test_sizes_are_those_of_the_vendor(vendor, calls, status):
    """Segment responds 400 above 32 KB or 500 KB, RudderStack 413 above 4,000 KB."""
    assert _basic(vendor, _batch(*calls)).status == status


@pytest.mark.parametrize("vendor", ["hightouch", "rudderstack", "segment"])
@pytest.mark.parametrize("body", [b"{", b"[]", b'{"batch":{}}'])
def test_body_that_is_not_a_batch_is_a_bad_request(vendor, body):
    """Invalid JSON is not taken for a batch."""
    assert _basic(vendor, body).status == 400


def test_rudderstack_rejects_a_disabled_source():
    """The key of a disabled source gets 404."""
    assert _basic("rudderstack", _batch(IDENTIFY), key=DISABLED_KEY).status == 404


@pytest.mark.parametrize(
    ("kind", "event", "status"),
    [
        ("track", TRACK, 200),
        ("event", TRACK, 200),
        ("event", {"type": "alias"}, 200),
        ("event", {"type": "screen"}, 200),
        ("event", {"userId": "1"}, 400),
        ("invoice", {}, 400),
        ("track", {"event": ""}, 400),
        ("track", {"event": "x" * 129}, 400),
        ("page", {"p": "x" * 1_000_000}, 400),
        ("page", [{}], 400),
        ("page", b"\x1f\x8b", 400),
    ],
)
def test_jitsu_accepts_single_events(kind, event, status):
    """An event whose type is in its path or in itself is accepted unchanged."""
    response = _jitsu(kind, event)

    assert (response.status, len(response.accepted)) == (status, int(status == 200))


def test_jitsu_checks_its_sources():
    """An unknown key gets 401; a source without a destination gets 200, and nothing is accepted."""
    unknown, unconnected = _jitsu("track", TRACK, "?"), _jitsu("track", TRACK, UNCONNECTED_KEY)

    assert unknown.status == 401
    assert (unconnected.status, unconnected.accepted) == (200, ())
    assert b'"error"' in unconnected.body


VECTOR = {
    # from the reference implementations of Standard Webhooks
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'


def _is_signed(
    body: bytes = BODY, secret: str = SECRET, now: float = 1614265330, **changes: Any
) -> bool:
    headers = Message()
    for name, value in {**VECTOR, **changes}.items():
        headers[name] = value
    return is_signed(headers, body, secret=secret, now=now)


def test_signature_of_the_specification_is_accepted():
    """The known signature is valid, alone and among others."""
    both: dict[str, Any] = {"webhook-signature": f"v1,AAAA {VECTOR['webhook-signature']}"}

    assert _is_signed()
    assert _is_signed(**both)


@pytest.mark.parametrize(
    "change",
    [
        {"body": BODY + b" "},
        {"secret": SECRET[:-1] + "x"},
        {"secret": "text" * 30},
        {"webhook-id": "msg_other"},
        {"webhook-id": ""},
        {"webhook-timestamp": "1614265331"},
        {"webhook-timestamp": "soon"},
        {"webhook-signature": ""},
        {"now": 1614265330 + 301},
        {"now": 1614265330 - 301},
    ],
    ids=str,
)
def test_any_change_breaks_the_signature(change):
    """Body, id, time and secret are all signed, and a signature is valid for five minutes."""
    assert not _is_signed(**change)


def test_vendor_is_served_over_http():
    """A collector for a vendor has the vendor's addresses, and records no key."""
    with Collector(vendor="jitsu", write_key=KEY) as collector, Client(collector) as client:
        response = client.request(
            "POST", "/api/s/s2s/event", b'{"type":"alias"}', {"X-Write-Key": KEY}
        )

        assert response.json() == {"ok": True}
        assert [call.type for call in collector.calls] == ["alias"]
        assert collector.url == f"http://127.0.0.1:{collector.port}"
        assert "x-write-key" not in str(collector.requests).lower()
