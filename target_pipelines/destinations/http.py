"""The batch endpoints of HTTP APIs: one attempt is one POST."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import requests
from urllib3.exceptions import HTTPError

from target_pipelines.batching import Limits
from target_pipelines.destinations import DestinationType
from target_pipelines.destinations.deadline import Deadline
from target_pipelines.retry_policy import Outcome, Retry, judge_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from target_pipelines.batching import EncodedCall
    from target_pipelines.settings import TargetSettings

_PREFIX = b'{"batch":['
_SUFFIX = b"]}"
_MAX_ANSWER_BYTES = 1024 * 1024
_MAX_CONNECT_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpProfile:
    """What is known of an API with a batch endpoint and Basic authentication.

    Attributes:
        name: what the setting `destination` says.
        base_urls: by `region`; without one, `endpoint` must be set.
        requests_per_second: its limit; None if it states none.
        headers: further headers, made from the settings.
        events: JSON Schemas of the track events that mean something to the API, by name.
    """

    name: str
    base_urls: Mapping[str, str]
    call_max_bytes: int
    batch_max_bytes: int
    batch_max_calls: int | None = None
    requests_per_second: float | None = None
    headers: Callable[[TargetSettings], Mapping[str, str]] = field(default=lambda _: {})
    events: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def as_destination(self) -> DestinationType:
        """The destination that plugins register for this profile."""
        return DestinationType(name=self.name, open=self.open, find_problems=self.find_problems)

    def find_problems(self, settings: TargetSettings) -> Iterator[str]:
        """What the settings lack."""
        if not settings.write_key:
            yield f"Setting `write_key` is required for {self.name}."
        if not self._base_url(settings):
            known = ", ".join(self.base_urls) or "none"
            yield (
                f"Setting `endpoint` is required for {self.name} in region {settings.region} "
                f"(regions with an address of their own: {known})."
            )

    def open(self, settings: TargetSettings) -> HttpDestination:
        """Open the destination."""
        return HttpDestination(self, settings, f"{self._base_url(settings).rstrip('/')}/batch")

    def _base_url(self, settings: TargetSettings) -> str:
        return settings.endpoint or self.base_urls.get(settings.region, "")


class HttpDestination:
    """An API, addressed with one write key."""

    max_lanes = None

    def __init__(self, profile: HttpProfile, settings: TargetSettings, url: str) -> None:
        self._settings = settings
        self._url = url
        self.event_schemas = profile.events
        self._headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",  # an answer is short; packed, it could be a bomb
            "User-Agent": "target-pipelines",
            **({"Content-Encoding": "gzip"} if settings.gzip else {}),
            **profile.headers(settings),
        }
        self.limits = Limits(
            call_max_bytes=settings.call_max_bytes or profile.call_max_bytes,
            batch_max_bytes=settings.batch_max_bytes or profile.batch_max_bytes,
            batch_max_calls=settings.batch_max_calls or profile.batch_max_calls,
            envelope_bytes=len(_PREFIX) + len(_SUFFIX),
            requests_per_second=settings.requests_per_second or profile.requests_per_second,
        )

    def open_sender(self) -> HttpSender:
        """A connection of its own, kept alive between attempts."""
        session = requests.Session()
        # Without it no proxy and no .netrc: the write key goes where the settings say.
        session.trust_env = self._settings.trust_environment
        session.auth = (self._settings.write_key or "", "")
        session.headers.update(self._headers)
        return HttpSender(session, self._url, self._settings)

    def close(self) -> None:
        """Nothing: each sender closes its connection."""


class HttpSender:
    """One connection."""

    def __init__(self, session: requests.Session, url: str, settings: TargetSettings) -> None:
        self._session = session
        self._url = url
        self._timeout_seconds = settings.timeout_seconds
        self._is_packed = settings.gzip
        self._deadline = Deadline(session)

    def send(self, calls: Sequence[EncodedCall]) -> Outcome:
        """POST the calls as one batch."""
        body = _PREFIX + b",".join(call.body for call in calls) + _SUFFIX
        if self._is_packed:
            body = gzip.compress(body, mtime=0)  # a repeat has the same bytes
        try:
            with self._deadline.limit(self._timeout_seconds):
                return self._post(body)
        except (requests.RequestException, HTTPError) as error:
            kind = "timeout" if self._deadline.is_over else _kind_of(error)
            return Retry(f"no answer ({kind})")

    def _post(self, body: bytes) -> Outcome:
        timeouts = (min(self._timeout_seconds, _MAX_CONNECT_SECONDS), self._timeout_seconds)
        with self._session.post(
            self._url, data=body, timeout=timeouts, allow_redirects=False, stream=True
        ) as answer:
            return judge_answer(
                answer.status_code, answer.headers, _read_beginning(answer), now=datetime.now(UTC)
            )

    def close(self) -> None:
        """Close the connection."""
        self._session.close()


def _read_beginning(answer: requests.Response) -> bytes:
    """The body, as far as the limit. Raises requests.ConnectionError if it breaks off before."""
    body: bytes = answer.raw.read(_MAX_ANSWER_BYTES, decode_content=False)
    if len(body) < _MAX_ANSWER_BYTES and answer.raw.length_remaining:
        raise requests.ConnectionError("the answer breaks off")
    return body


def _kind_of(error: Exception) -> str:
    """What happened, in a word; the error's own text may hold the address and more."""
    if isinstance(error, requests.Timeout):
        return "timeout"
    return "TLS" if isinstance(error, requests.exceptions.SSLError) else "connection"
