"""Each HTTP profile: URLs, authentication, limits, paths, responses."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox.collector import VENDORS, Collector
from sandbox.collector.vendors import DISABLED_KEY, UNCONNECTED_KEY
from target_pipelines.api.outcomes import Delivered, Fatal, Rejected
from target_pipelines.api.settings import TargetSettings
from target_pipelines.destinations import (
    customerio,
    hightouch,
    jitsu,
    rudderstack,
    segment,
    webhook,
)
from target_pipelines.testing.destination_cases import CALLS, make_call
from tests.target.conftest import record, schema, state

if TYPE_CHECKING:
    from target_pipelines.destinations.http import HttpProfile

PROFILES: dict[str, HttpProfile] = {
    module.PROFILE.name: module.PROFILE
    for module in (customerio, hightouch, jitsu, rudderstack, segment, webhook)
}
OWN = "https://own.example"
KEY = "kéy"
ROOT = Path(__file__).parents[3]
# From each API's documentation, as in docs/destinations.md.
URLS = [
    ("customerio", "us", None, "https://cdp.customer.io/v1/batch"),
    ("customerio", "eu", None, "https://cdp-eu.customer.io/v1/batch"),
    ("customerio", "eu", f"{OWN}/v1", f"{OWN}/v1/batch"),
    ("segment", "us", None, "https://api.segment.io/v1/batch"),
    ("segment", "eu", None, "https://events.eu1.segmentapis.com/v1/batch"),
    ("hightouch", "us", None, "https://us-east-1.hightouch-events.com/v1/batch"),
    ("rudderstack", "us", f"{OWN}/v1", f"{OWN}/v1/batch"),
    ("rudderstack", "eu", f"{OWN}/v1/", f"{OWN}/v1/batch"),
    ("jitsu", "us", OWN, f"{OWN}/api/s/s2s/identify"),
    ("jitsu", "eu", f"{OWN}/", f"{OWN}/api/s/s2s/identify"),
    ("webhook", "us", f"{OWN}/in?a=1&b=2", f"{OWN}/in?a=1&b=2"),
    ("webhook", "eu", f"{OWN}/in/", f"{OWN}/in/"),
]
WITHOUT_URL = [("hightouch", "eu"), ("rudderstack", "us"), ("jitsu", "us"), ("webhook", "eu")]


def _settings(name: str, **changes: Any) -> TargetSettings:
    given = {"write_key": KEY, "endpoint": OWN, **changes}
    return TargetSettings(destination=name, **given)


@pytest.fixture
def prepare(monkeypatch):
    """The requests that a profile prepares for calls; nothing is sent."""
    prepared: list[requests.PreparedRequest] = []

    def keep(self, request, **options):
        prepared.append(request)
        raise requests.ConnectionError

    def prepare(name, calls=CALLS[:1], **changes):
        monkeypatch.setattr(requests.Session, "send", keep)
        sender = PROFILES[name].open(_settings(name, **changes)).open_sender()
        for call in calls:
            sender.send([call])
        return prepared

    return prepare


@pytest.mark.parametrize(("name", "region", "endpoint", "url"), URLS)
def test_url_is_the_documented_one(prepare, name, region, endpoint, url):
    """Region and endpoint determine exactly this URL."""
    (request,) = prepare(name, region=region, endpoint=endpoint)

    assert (request.method, request.url) == ("POST", url)


@pytest.mark.parametrize(("name", "region"), WITHOUT_URL)
def test_missing_url_is_a_problem(name, region):
    """Without a URL for the region, `endpoint` is required."""
    (problem,) = PROFILES[name].find_problems(_settings(name, region=region, endpoint=None))

    assert "`endpoint` is required" in problem


LIMITS = [
    ("customerio", 32_768, 512_000, None, 1000),
    ("segment", 32_768, 512_000, 2500, 1000),
    ("rudderstack", 32_768, 4_096_000, None, None),
    ("hightouch", 32_768, 512_000, None, None),
    ("jitsu", 900_000, 900_000, 1, None),
    ("webhook", 65_536, 100_000, None, None),
]


@pytest.mark.parametrize(("name", "call", "batch", "calls", "rate"), LIMITS)
def test_limits_are_the_documented_ones(name, call, batch, calls, rate):
    """The limits are those of the API's documentation."""
    limits = PROFILES[name].open(_settings(name)).limits

    assert (limits.call_max_bytes, limits.batch_max_bytes) == (call, batch)
    assert (limits.batch_max_calls, limits.requests_per_second) == (calls, rate)


@pytest.mark.parametrize("name", ["jitsu", "segment"])
def test_call_limit_of_the_vendor_cannot_be_exceeded(name):
    """Segment responds 200 and drops the calls above its limit."""
    limits = PROFILES[name].open(_settings(name, batch_max_calls=9999)).limits

    assert limits.batch_max_calls == PROFILES[name].batch_max_calls


@pytest.mark.parametrize("name", ["customerio", "segment", "rudderstack", "hightouch"])
def test_write_key_is_the_basic_user_name(prepare, name):
    """HTTP Basic has the key in UTF-8 and an empty password."""
    (request,) = prepare(name)

    assert request.headers["Authorization"] == "Basic a8OpeTo="  # kéy:


@pytest.mark.parametrize("name", ["jitsu", "webhook"])
def test_other_credentials_are_ignored(prepare, tmp_path, monkeypatch, name):
    """Neither a `.netrc` nor the URL adds an Authorization, which Jitsu would prefer."""
    (tmp_path / "netrc").write_text("machine own.example login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    (request,) = prepare(name, endpoint="https://u:p@own.example", trust_environment=True)

    assert "Authorization" not in request.headers
    assert (request.headers.get("X-Write-Key") == "kÃ©y") == (name == "jitsu")  # UTF-8 as bytes


@pytest.mark.parametrize("key", [" k", "k\n", "k\r\nX: y"])
def test_key_with_a_line_break_is_a_problem(key):
    """A key copied with surrounding whitespace is reported before anything is sent."""
    (problem,) = jitsu.PROFILE.find_problems(_settings("jitsu", write_key=key))

    assert "has leading or trailing whitespace, or a line break" in problem


@pytest.mark.parametrize(("strict", "expected"), [(True, "1"), (False, None)])
def test_customerio_gets_strict_mode(prepare, strict, expected):
    """Every request has X-Strict-Mode unless `strict` is false."""
    (request,) = prepare("customerio", strict=strict)

    assert request.headers.get("X-Strict-Mode") == expected


def test_without_strict_mode_invalid_calls_are_lost():
    """An invalid call is rejected in strict mode, and dropped with status 200 without it."""
    lax = replace(customerio.PROFILE, headers=lambda _: {})
    nameless = make_call("track", 1)
    with Collector(write_key=KEY) as collector:
        settings = _settings("customerio", endpoint=collector.url)
        outcomes = [
            profile.open(settings).open_sender().send([nameless])
            for profile in (lax, customerio.PROFILE)
        ]

    assert outcomes == [Delivered(), Rejected("HTTP 400", 400)]
    assert collector.calls == []


PATHS = {
    "identify": "identify",
    "track": "track",
    "page": "page",
    "group": "group",
    "screen": "event",
    "alias": "event",
}


@pytest.mark.parametrize(("kind", "path"), PATHS.items())
def test_jitsu_gets_one_call_per_request(prepare, kind, path):
    """Each request has one event, at the path of its type or at the generic one."""
    call = _as_plugin_type(make_call(kind, 1))

    (request,) = prepare("jitsu", [call])

    assert request.url == f"{OWN}/api/s/s2s/{path}"
    assert request.body == call.body


def _as_plugin_type(call):
    """The call with a plugin's call type, whose name differs from the API's."""
    return type(call)(call.body, call.stream, "delete_person", call.ordering_key, call.epoch)


@pytest.mark.parametrize(
    ("name", "key", "advice"),
    [
        ("rudderstack", DISABLED_KEY, "HTTP 404"),
        ("rudderstack", "?", "`write_key`"),
        ("hightouch", "?", "`write_key`"),
        ("customerio", "?", "`write_key`"),
        ("jitsu", "?", "`write_key`"),
        ("jitsu", UNCONNECTED_KEY, "Connect the source"),
        ("webhook", "?", "`write_key`"),
    ],
)
def test_unusable_source_stops_the_run(name, key, advice):
    """A wrong key, a disabled source and an unconnected one cause no dead letters."""
    with Collector(vendor=name, write_key="right") as collector:
        settings = _settings(name, endpoint=collector.url, write_key=key)
        outcome = PROFILES[name].open(settings).open_sender().send(CALLS[:1])

    assert isinstance(outcome, Fatal)
    assert advice in outcome.reason


def test_gzip_is_a_problem_for_jitsu():
    """`gzip` is reported at the start instead of failing for every event."""
    (problem,) = jitsu.PROFILE.find_problems(_settings("jitsu", gzip=True))

    assert "`gzip`" in problem


@pytest.mark.parametrize(
    ("endpoint", "is_warned"),
    [
        ("https://example.com/v1", False),
        ("http://127.0.0.1:8090/v1", False),
        ("http://127.8.9.1/v1", False),
        ("http://localhost:8090/v1", False),
        ("http://[::1]:8090/v1", False),
        ("http://example.com/v1", True),
        ("http://10.0.0.7/v1", True),
        ("http://localhost.example.com/v1", True),
    ],
)
def test_unencrypted_endpoint_logs_a_warning(caplog, endpoint, is_warned):
    """An http:// endpoint is allowed with a warning, which does not show the URL."""
    segment.PROFILE.open(_settings("segment", endpoint=endpoint))

    assert [entry.levelno for entry in caplog.records] == [logging.WARNING] * is_warned
    assert "example.com" not in caplog.text


@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_program_delivers_to_every_vendor(vendor, run_target):
    """Rows of several call types arrive in order, and the state is printed."""
    messages = [schema("a", "alias"), schema("t", "track"), schema("s", "screen")]
    messages += [
        record("t", userId="1", event="e"),
        record("a", userId="1", previousId="0"),
        record("s", userId="1", name="n"),
        state(1),
    ]
    with Collector(vendor=vendor, write_key="k") as collector:
        config = {"destination": vendor, "endpoint": collector.url, "write_key": "k"}
        run = run_target(config, messages)

    assert (run.exit_code, len(run.states)) == (0, 1)
    assert [call.type for call in collector.calls] == ["track", "alias", "screen"]
    assert all(json.loads(call.raw)["messageId"] for call in collector.calls)


@pytest.mark.parametrize("name", PROFILES)
def test_destinations_page_has_the_urls(name):
    """docs/destinations.md has a row for each destination, with all its URLs."""
    page = (ROOT / "docs" / "destinations.md").read_text()

    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
    for region, url in PROFILES[name].base_urls.items():
        assert f"{region} `{url}`" in row
