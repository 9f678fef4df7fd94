"""Destinations over HTTP: a profile describes an API, and each attempt is one POST."""

from __future__ import annotations

import logging
import warnings
from dataclasses import InitVar, dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from program_kit.exact_json import decode_object, encode_json
from target_pipelines.api.calls import Limits
from target_pipelines.api.destinations import DestinationType
from target_pipelines.api.errors import PluginError
from target_pipelines.api.plugin_errors import describe_exception
from target_pipelines.destinations import trusted_certificates
from target_pipelines.destinations.addresses import (
    describe_endpoint_problem,
    describe_proxy_problem,
)
from target_pipelines.destinations.authentication import Authenticate, basic
from target_pipelines.destinations.responses import ResponseClassifier, classify_response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from program_kit.settings import Setting
    from target_pipelines.api.call_types import Json
    from target_pipelines.api.calls import EncodedCall
    from target_pipelines.api.settings import TargetSettings
    from target_pipelines.destinations.http_sender import HttpSender

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpProfile:
    """Describes an API. The defaults fit batch endpoints like Segment's.

    Attributes:
        name: the value of the setting `destination`.
        base_urls: by `region`; without one, `endpoint` must be set.
        call_max_bytes: limit of one call.
        batch_max_bytes: limit of one request.
        batch_max_calls: limit of one request; None if only bytes are limited.
        requests_per_second: rate limit; None if the API documents none.
        max_traits: traits of one call; the target warns about streams with more.
        max_trait_name_bytes: limit of a trait's name; the target warns about longer ones.
        path: the path after the base URL, given the calls of a request; may be empty.
        envelope: the bytes before and after the calls of a request, which commas separate.
        authenticate: makes an authenticator from the write key.
        headers: further headers, from the settings.
        reshape: makes what is sent of a call, for an API whose calls have another shape; None sends
            the call as it is. It must be deterministic.
        classify: classifies responses.
        events: JSON Schemas of track events with a meaning to the API, by name.
        call_schema: a JSON Schema that each call must satisfy as well as that of its type, such as
            `NEEDS_ID`; calls that violate it are rejected before they are sent.
        settings: the destination's own settings, given under `destination_options`.
        find_further_problems: further problems of the settings, one sentence each.
        judge: deprecated name of `classify`.
    """

    name: str
    base_urls: Mapping[str, str] = field(default_factory=dict)
    call_max_bytes: int
    batch_max_bytes: int
    batch_max_calls: int | None = None
    requests_per_second: float | None = None
    max_traits: int | None = None
    max_trait_name_bytes: int | None = None
    path: Callable[[Sequence[EncodedCall]], str] = lambda _: "/batch"
    envelope: tuple[bytes, bytes] = (b'{"batch":[', b"]}")
    authenticate: Callable[[str], Authenticate] = basic
    headers: Callable[[TargetSettings], Mapping[str, str]] = lambda _: {}
    reshape: Callable[[Json], Any] | None = None
    classify: ResponseClassifier = classify_response
    events: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    call_schema: Mapping[str, Any] = field(default_factory=dict)
    settings: Sequence[Setting] = ()
    find_further_problems: Callable[[TargetSettings], Iterable[str]] = lambda _: ()
    judge: InitVar[ResponseClassifier | None] = None

    def __post_init__(self, judge: ResponseClassifier | None) -> None:
        if judge is not None:
            message = "`HttpProfile(judge=…)` is deprecated; use `classify`"
            warnings.warn(message, DeprecationWarning, stacklevel=3)
            object.__setattr__(self, "classify", judge)

    def as_destination(self) -> DestinationType:
        """The destination that plugins register for this profile."""
        return DestinationType(
            name=self.name,
            open=self.open,
            find_problems=self.find_problems,
            settings=self.settings,
            profile=self,
        )

    def find_problems(self, settings: TargetSettings) -> Iterator[str]:
        """Missing or invalid settings, one sentence each."""
        key = settings.write_key
        if not key:
            yield f"Setting `write_key` is required for {self.name}."
        elif not key.isprintable() or key != key.strip():
            yield (
                f"Setting `write_key` for {self.name} has leading or trailing whitespace, or a "
                "line break; remove it."
            )
        if settings.endpoint is not None:
            if problem := describe_endpoint_problem(settings.endpoint):
                yield f"Setting `endpoint` {problem}."
                return
        elif not self.base_url(settings):
            known = ", ".join(self.base_urls) or "none"
            yield (
                f"Setting `endpoint` is required for {self.name} in region {settings.region} "
                f"(regions with a built-in URL: {known})."
            )
        yield from trusted_certificates.find_problems(settings)
        url = self.base_url(settings)
        if settings.trust_environment and (problem := describe_proxy_problem(url)):
            yield f"The proxy of the environment (such as HTTPS_PROXY) {problem}."
        yield from self.find_further_problems(settings)

    def open(self, settings: TargetSettings) -> HttpDestination:
        """Open the destination. Nothing is sent yet."""
        url = self.base_url(settings)
        if not _is_confidential(url):
            logger.warning(
                "destination=%s: `endpoint` begins with http://, so that a network attacker can "
                "read the calls, and the write key if it is sent with them. Use https://.",
                settings.destination_name,
            )
        return HttpDestination(self, settings, url)

    def base_url(self, settings: TargetSettings) -> str:
        """The URL that paths are appended to; empty if none is known."""
        return settings.endpoint or self.base_urls.get(settings.region, "")

    def url_of(self, base_url: str, calls: Sequence[EncodedCall]) -> str:
        """The URL of a request with these calls."""
        path = self.path(calls)
        if not isinstance(path, str) or not path.isascii() or not path.isprintable() or " " in path:
            raise PluginError(
                f'Destination "{self.name}": `path` must return a text without blanks and line '
                "breaks, other characters percent-encoded. Correct the plugin, and run it again."
            )
        if not path:
            return base_url
        address, mark, query = base_url.partition("?")
        return f"{address.rstrip('/')}{path}{'&' if mark and '?' in path else mark}{query}"

    def body_of(self, calls: Sequence[EncodedCall]) -> bytes:
        """The body of a request; identical for identical calls."""
        before, after = self.envelope
        bodies = [call.body for call in calls]
        if self.reshape is not None:
            bodies = [self._reshaped(body, self.reshape) for body in bodies]
        return b"%b%b%b" % (before, b",".join(bodies), after)

    def _reshaped(self, body: bytes, reshape: Callable[[Json], Any]) -> bytes:
        """What is sent of a call. Raises PluginError."""
        try:
            return encode_json(reshape(decode_object(body)))
        except BaseException as error:  # a plugin's code, which may even call `exit`
            problem = describe_exception(error, reshape)
            raise PluginError(
                f'Destination "{self.name}" cannot send a call, because `reshape` failed: '
                f"{problem}. Correct the plugin, and run it again."
            ) from error


class HttpDestination:
    """An API with one write key."""

    max_lanes = None

    def __init__(self, profile: HttpProfile, settings: TargetSettings, base_url: str) -> None:
        self._profile = profile
        self._settings = settings
        self._base_url = base_url
        self.event_schemas = profile.events
        self.call_schema = profile.call_schema
        call_max_bytes = settings.call_max_bytes or profile.call_max_bytes
        batch_max_bytes = settings.batch_max_bytes or profile.batch_max_bytes
        envelope_bytes = sum(map(len, profile.envelope))
        if settings.batch_max_bytes:
            call_max_bytes = max(1, min(call_max_bytes, batch_max_bytes - envelope_bytes))
        self.limits = Limits(
            call_max_bytes=call_max_bytes,
            batch_max_bytes=batch_max_bytes,
            batch_max_calls=_lower(settings.batch_max_calls, profile.batch_max_calls),
            envelope_bytes=envelope_bytes,
            requests_per_second=settings.requests_per_second or profile.requests_per_second,
            max_traits=profile.max_traits,
            max_trait_name_bytes=profile.max_trait_name_bytes,
        )

    def open_sender(self) -> HttpSender:
        """A new connection, opened at the first attempt."""
        from target_pipelines.destinations.http_sender import (  # noqa: PLC0415 - requests is slow
            HttpSender,
        )

        if self._profile.reshape is None:
            return HttpSender(self._profile, self._base_url, self._settings)
        limit = self.limits.batch_max_bytes
        return HttpSender(self._profile, self._base_url, self._settings, max_bytes=limit)

    def close(self) -> None:
        """Do nothing: each sender closes its connection."""


def _lower(*counts: int | None) -> int | None:
    """The lowest count that is set: an API drops the calls above its own limit."""
    return min((count for count in counts if count is not None), default=None)


def _is_confidential(url: str) -> bool:
    """Whether requests are encrypted or stay on this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        return ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
