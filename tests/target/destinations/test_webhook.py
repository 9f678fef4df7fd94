"""The destination `webhook`: signatures, secrets and responses of receivers."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox.collector import Collector
from sandbox.collector.webhooks import TOLERANCE_SECONDS
from target_pipelines.api.outcomes import Delivered, Fatal, Rejected, Retry
from target_pipelines.api.settings import TargetSettings
from target_pipelines.destinations import webhook
from target_pipelines.destinations.webhook import Signature, decode_secret, sign
from target_pipelines.testing.destination_cases import CALLS

if TYPE_CHECKING:
    from target_pipelines.destinations.http import HttpProfile
    from target_pipelines.destinations.http_sender import HttpSender

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PAGE = Path(__file__).parents[3] / "docs" / "destinations.md"
NOW = 1614265330.9


def _open(
    collector: Collector, profile: HttpProfile = webhook.PROFILE, **changes: Any
) -> HttpSender:
    settings = {"endpoint": collector.url, "write_key": SECRET, **changes}
    return profile.open(TargetSettings(**settings)).open_sender()


def _sign(body: bytes, now: float = NOW) -> dict[str, str]:
    request = requests.Request("POST", "http://127.0.0.1", data=body).prepare()
    return dict(Signature(SECRET, clock=lambda: now)(request).headers)


def test_signature_matches_the_specification():
    """The example of the reference implementations has the same signature."""
    signature = sign(
        decode_secret(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_retry_has_the_same_id_and_a_new_time():
    """A receiver can recognise a retry and check how recent it is."""
    first, retry, other = _sign(b"a"), _sign(b"a", NOW + 60), _sign(b"b")

    assert first["webhook-id"] == retry["webhook-id"] != other["webhook-id"]
    assert (first["webhook-timestamp"], retry["webhook-timestamp"]) == ("1614265330", "1614265390")
    assert first["webhook-signature"] != retry["webhook-signature"]
    assert "." not in first["webhook-id"]


@pytest.mark.parametrize("key", [SECRET, "whsec_AAECAwQFBgcICQ==", "a: ü", "x" * 99])
@pytest.mark.parametrize("gzip", [False, True])
def test_receiver_accepts_the_signature(key, gzip):
    """The bytes on the wire are signed, with encoded and plain secrets, compressed or not."""
    with Collector(vendor="webhook", write_key=key) as collector:
        outcome = _open(collector, write_key=key, gzip=gzip).send(CALLS)

    assert outcome == Delivered()
    assert [call.raw for call in collector.calls] == [call.body for call in CALLS]


def test_secret_without_padding_is_accepted():
    """The padding of base64 is optional."""
    assert decode_secret("whsec_AAA") == decode_secret("whsec_AAA=") == b"\0\0"


@pytest.mark.parametrize("key", ["whsec_", "whsec_ü", "whsec_a b", "whsec_A"])
def test_invalid_base64_secret_is_a_problem(key):
    """It is reported before anything is sent, and not shown."""
    settings = TargetSettings(endpoint="https://own.example", write_key=key)

    (problem,) = webhook.PROFILE.find_problems(settings)

    assert "is not base64" in problem
    assert key == "whsec_" or key not in problem


@pytest.mark.parametrize("seconds", [TOLERANCE_SECONDS + 60, -TOLERANCE_SECONDS - 60])
def test_stale_attempt_is_refused(seconds):
    """The test receiver checks the timestamp."""
    stale = partial(Signature, clock=lambda: time.time() + seconds)

    with Collector(vendor="webhook", write_key=SECRET) as collector:
        outcome = _open(collector, replace(webhook.PROFILE, authenticate=stale)).send(CALLS)

    assert isinstance(outcome, Fatal)
    assert collector.calls == []


RESPONSES: list[tuple[int, str, type]] = [
    *((status, "", Delivered) for status in (200, 201, 202, 204)),
    *((200, text, Delivered) for text in ("OK", "received", "1", "true", '"done"', " ünd ", "{}")),
    (202, '{"queued": 7}', Delivered),
    (200, '{"success": false}', Rejected),
    *(
        (200, text, Fatal)
        for text in ("<html>Sign in</html>", "\n<!DOCTYPE html>", "a <b>page</b>")
    ),
    *((200, text, Fatal) for text in ("\ufeff<?xml?>", "{broken", "[")),
    (410, "", Fatal),
    (422, "", Rejected),
    (503, "", Retry),
]


@pytest.mark.parametrize(("status", "body", "expected"), RESPONSES)
def test_plain_text_success_is_an_acknowledgement(status, body, expected):
    """A success with plain text is an acknowledgement; one with a web page is not."""
    with Collector(vendor="webhook", write_key=SECRET) as collector:
        collector.script([{"status": status, "body": body}])
        outcome = _open(collector).send(CALLS)

    assert isinstance(outcome, expected)


def test_documented_receiver_verifies():
    """The example in docs/destinations.md rejects modified and stale requests."""
    (code,) = re.findall(r"`verify.py`\n\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert 10 <= len(code.strip().splitlines()) <= 12
    example: dict[str, Any] = {}
    exec(code, example)
    verify, now = example["verify"], example["time"].time()
    headers = _sign(b"{}", now)

    assert verify(SECRET, headers, b"{}")
    assert not verify(SECRET, headers, b"[]")
    assert not verify("other", headers, b"{}")
    assert not verify(SECRET, {**headers, "webhook-id": "msg_other"}, b"{}")
    assert not verify(SECRET, _sign(b"{}", now - 600), b"{}")
