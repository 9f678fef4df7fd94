"""Runs the contract suite over every registered destination, and tests the suite."""

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
    """A collector that imitates a vendor, with the interface of the suite's servers."""

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
    """A new HTTP destination needs a vendor in the collector."""
    assert sorted({*VENDORS, "file"}) == DESTINATIONS.names()


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_destination_keeps_the_contract_with_its_vendor(vendor, check):
    """Every check passes against the collector that imitates the vendor."""
    with _play(vendor) as server:
        CHECKS[check](make_case(DESTINATIONS[vendor], server))


TestCustomerio = get_destination_test_class(DESTINATIONS["customerio"])
TestHightouch = get_destination_test_class(DESTINATIONS["hightouch"])
TestJitsu = get_destination_test_class(DESTINATIONS["jitsu"])
TestRudderstack = get_destination_test_class(DESTINATIONS["rudderstack"])
TestSegment = get_destination_test_class(DESTINATIONS["segment"])
TestWebhook = get_destination_test_class(DESTINATIONS["webhook"])
TestCompressed = get_destination_test_class(DESTINATIONS["customerio"], gzip=True)
TestStranger = get_destination_test_class(ACME.as_destination())


def test_compressed_webhook_keeps_the_contract():
    """A webhook signs the compressed bytes."""
    with _play("webhook") as server:
        check_destination(DESTINATIONS["webhook"], server, gzip=True)


@dataclass(frozen=True)
class _File:
    """The output of `file`, with the interface of the suite's servers."""

    path: Path
    url: str = "http://127.0.0.1:1"

    def received(self) -> Sequence[ReceivedRequest]:
        content = self.path.read_bytes() if self.path.exists() else b""
        return [ReceivedRequest("", content, content)] if content else []

    def script(self, behaviours: object) -> None:
        raise AssertionError("a file sends no response")


@pytest.mark.parametrize("check", [check_settings, check_limits, check_delivery, check_close])
def test_file_keeps_the_applicable_contract(check, tmp_path):
    """Limits, delivery and closing are checked for a destination without responses, too."""
    path = tmp_path / "calls.jsonl"

    check(make_case(DESTINATIONS["file"], _File(path), output_path=str(path)))


# What the suite detects

COUNTER = itertools.count()


def _classify_as(statuses: Sequence[int], outcome: Any) -> Any:
    def classify(status, headers, body, *, now):
        if status in statuses:
            return outcome
        return classify_response(status, headers, body, now=now)

    return classify


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
    "stops at trouble": (
        replace(ACME, classify=_classify_as([503], Fatal("no"))),
        "Fatal of HTTP 503",
    ),
    "gives up when busy": (
        replace(ACME, classify=_classify_as([408], Rejected("no"))),
        "of HTTP 408",
    ),
    "drops what is refused": (
        replace(ACME, classify=_classify_as([400], Delivered())),
        "of HTTP 400",
    ),
    "repeats without end": (
        replace(ACME, classify=_classify_as([401], Retry("no"))),
        "of HTTP 401",
    ),
    "is hasty": (replace(ACME, classify=_classify_as([429], Retry("no"))), "Retry-After"),
    "trusts pages": (replace(ACME, classify=_classify_as([200], Delivered())), "web page"),
    "trusts redirects": (
        replace(ACME, classify=_classify_as([302], Delivered())),
        "stop at a redirect",
    ),
    "tells its key": (
        replace(ACME, classify=_classify_as([500], Retry(WRITE_KEY))),
        "shows its key",
    ),
    "key in the path": (replace(ACME, path=lambda _: f"/{WRITE_KEY}"), "key in a repr"),
    "counts requests": (
        replace(ACME, path=lambda _: f"/{next(COUNTER)}"),
        "different requests of one",
    ),
    "calls too large": (replace(ACME, call_max_bytes=100_001), "fit into no batch"),
    "no calls at all": (replace(ACME, batch_max_calls=0), "limit of 0"),
    "no room": (replace(ACME, call_max_bytes=0), "limits that are not sizes"),
    "backwards": (_as(_Reversed), "changed the order"),
    "other bytes": (_as(_Rewritten), "changed its bytes"),
    "deaf": (_as(_Deaf), "ignores the setting `batch_max_bytes`"),
    "talkative": (_as(_Talkative), "without the key"),
}


@pytest.mark.parametrize(("profile", "complaint"), BAD.values(), ids=list(BAD))
def test_violation_of_the_contract_is_detected(profile, complaint):
    """The message names the destination and the violated rule."""
    with pytest.raises(AssertionError, match=complaint) as caught:
        check_destination(profile.as_destination())

    assert str(caught.value).startswith('Destination "acme" ')


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_followed_redirect_is_detected(monkeypatch, method):
    """A client that follows redirects, as most do by default, fails the suite."""
    post = requests.Session.post

    def follow(self, url, **options):
        return post(self, url, **{**options, "allow_redirects": True})

    monkeypatch.setattr(requests.Session, "post", follow)
    status = 303 if method == "GET" else 307
    with RecordingServer() as server, pytest.raises(AssertionError, match="follows a redirect"):
        CHECKS[f"redirect {status}"](make_case(ACME.as_destination(), server))
