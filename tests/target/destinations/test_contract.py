"""The contract suite of destinations: over every one that is registered, and itself."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox.collector import VENDORS, Collector
from target_pipelines import (
    Delivered,
    Fatal,
    HttpProfile,
    Rejected,
    Retry,
    classify_response,
    key_in_header,
)
from target_pipelines.plugins.loading import load_plugins
from target_pipelines.testing import (
    WRITE_KEY,
    ReceivedRequest,
    RecordingServer,
    check_destination,
    get_destination_test_class,
)
from target_pipelines.testing.destination_cases import make_case
from target_pipelines.testing.destination_checks import (
    CHECKS,
    check_close,
    check_delivery,
    check_limits,
    check_settings,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

DESTINATIONS = load_plugins().destinations
ACME = HttpProfile(
    name="acme",
    call_max_bytes=10_000,
    batch_max_bytes=100_000,
    authenticate=key_in_header("Authorization", "Bearer "),
)


class _Played:
    """A collector that plays a vendor, as the contract suite wants its servers."""

    def __init__(self, collector: Collector) -> None:
        self.url = collector.url
        self.script = collector.script
        self._collector = collector

    def received(self) -> Sequence[ReceivedRequest]:
        calls = self._collector.calls
        return [
            ReceivedRequest(
                request.path,
                request.body_digest.encode(),
                b"\n".join(call.raw for call in calls if call.request == request.number),
            )
            for request in self._collector.requests
        ]


@contextmanager
def _play(vendor: str) -> Iterator[_Played]:
    with Collector(vendor=vendor, write_key=WRITE_KEY) as collector:
        yield _Played(collector)


def test_every_registered_destination_runs_the_contract():
    """A further destination over HTTP needs a vendor in the collector."""
    assert sorted({*VENDORS, "file"}) == DESTINATIONS.names()


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_destination_keeps_the_contract_with_its_vendor(vendor, check):
    """Against the collector that plays the vendor, every promise holds."""
    with _play(vendor) as server:
        CHECKS[check](make_case(DESTINATIONS[vendor], server))


TestCustomerio = get_destination_test_class(DESTINATIONS["customerio"])
TestHightouch = get_destination_test_class(DESTINATIONS["hightouch"])
TestJitsu = get_destination_test_class(DESTINATIONS["jitsu"])
TestRudderstack = get_destination_test_class(DESTINATIONS["rudderstack"])
TestSegment = get_destination_test_class(DESTINATIONS["segment"])
TestWebhook = get_destination_test_class(DESTINATIONS["webhook"])
TestPacked = get_destination_test_class(DESTINATIONS["customerio"], gzip=True)
TestStranger = get_destination_test_class(ACME.as_destination())


def test_packed_and_signed_keeps_the_contract():
    """What a webhook signs is what is on the wire, packed or not."""
    with _play("webhook") as server:
        check_destination(DESTINATIONS["webhook"], server, gzip=True)


@dataclass(frozen=True)
class _File:
    """What `file` has written, as a server has received it."""

    path: Path
    url: str = "http://127.0.0.1:1"

    def received(self) -> Sequence[ReceivedRequest]:
        content = self.path.read_bytes() if self.path.exists() else b""
        return [ReceivedRequest("", content, content)] if content else []

    def script(self, behaviours: object) -> None:
        raise AssertionError("a file answers nothing")


@pytest.mark.parametrize("check", [check_settings, check_limits, check_delivery, check_close])
def test_file_keeps_the_parts_that_apply(check, tmp_path):
    """Limits, delivery and closing are the same for a destination without an answer."""
    path = tmp_path / "calls.jsonl"

    check(make_case(DESTINATIONS["file"], _File(path), output_path=str(path)))


# What the suite finds

COUNTER = itertools.count()


def _judge_as(statuses: Sequence[int], outcome: Any) -> Any:
    def judge(status, headers, body, *, now):
        if status in statuses:
            return outcome
        return classify_response(status, headers, body, now=now)

    return judge


class _Reversed(HttpProfile):
    def body_of(self, calls):
        return HttpProfile.body_of(self, calls[::-1])


class _Rewritten(HttpProfile):
    def body_of(self, calls):
        return HttpProfile.body_of(self, calls).replace(b"&", b"\\u0026")


class _Deaf(HttpProfile):
    def open(self, settings):
        return HttpProfile.open(self, replace(settings, batch_max_bytes=None))


class _Talkative(HttpProfile):
    def find_problems(self, settings):
        return [f"{problem} {settings.write_key}" for problem in super().find_problems(settings)]


def _as(kind: type[HttpProfile]) -> HttpProfile:
    return kind(**{entry.name: getattr(ACME, entry.name) for entry in fields(ACME)})


BAD: dict[str, tuple[HttpProfile, str]] = {
    "stops at trouble": (replace(ACME, judge=_judge_as([503], Fatal("no"))), "Fatal of HTTP 503"),
    "gives up when busy": (replace(ACME, judge=_judge_as([408], Rejected("no"))), "of HTTP 408"),
    "drops what is refused": (replace(ACME, judge=_judge_as([400], Delivered())), "of HTTP 400"),
    "repeats without end": (replace(ACME, judge=_judge_as([401], Retry("no"))), "of HTTP 401"),
    "is hasty": (replace(ACME, judge=_judge_as([429], Retry("no"))), "Retry-After"),
    "trusts pages": (replace(ACME, judge=_judge_as([200], Delivered())), "web page"),
    "trusts redirects": (replace(ACME, judge=_judge_as([302], Delivered())), "stop at a redirect"),
    "tells its key": (replace(ACME, judge=_judge_as([500], Retry(WRITE_KEY))), "shows its key"),
    "key in the path": (replace(ACME, path=lambda _: f"/{WRITE_KEY}"), "key in a description"),
    "counts requests": (replace(ACME, path=lambda _: f"/{next(COUNTER)}"), "two requests of one"),
    "calls too large": (replace(ACME, call_max_bytes=100_001), "fit into no batch"),
    "no calls at all": (replace(ACME, batch_max_calls=0), "limit of nothing"),
    "no room": (replace(ACME, call_max_bytes=0), "limits that are no sizes"),
    "backwards": (_as(_Reversed), "changed the order"),
    "other bytes": (_as(_Rewritten), "changed its bytes"),
    "deaf": (_as(_Deaf), "ignores the setting `batch_max_bytes`"),
    "talkative": (_as(_Talkative), "without the key"),
}


@pytest.mark.parametrize(("profile", "complaint"), BAD.values(), ids=list(BAD))
def test_breach_of_the_contract_is_found(profile, complaint):
    """Each promise is looked at: the message names the destination and what is wrong."""
    with pytest.raises(AssertionError, match=complaint) as caught:
        check_destination(profile.as_destination())

    assert str(caught.value).startswith('Destination "acme" ')


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_followed_redirect_is_found(monkeypatch, method):
    """A client that follows redirects, as most do unless told, is found out."""
    post = requests.Session.post

    def follow(self, url, **options):
        return post(self, url, **{**options, "allow_redirects": True})

    monkeypatch.setattr(requests.Session, "post", follow)
    status = 303 if method == "GET" else 307
    with RecordingServer() as server, pytest.raises(AssertionError, match="follows a redirect"):
        CHECKS[f"redirect {status}"](make_case(ACME.as_destination(), server))
