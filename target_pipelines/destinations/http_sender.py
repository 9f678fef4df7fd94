"""One connection to an HTTP API: posts calls within a deadline and classifies the response."""

from __future__ import annotations

import gzip
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

import requests
from urllib3.exceptions import HTTPError

from target_pipelines.api.errors import PluginError
from target_pipelines.api.outcomes import Outcome, Rejected
from target_pipelines.destinations.connection_errors import outcome_of_error
from target_pipelines.destinations.connections import GuardedAdapter
from target_pipelines.destinations.deadline import AttemptEnded, Deadline
from target_pipelines.destinations.trusted_certificates import tls_context

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from target_pipelines.api.calls import EncodedCall
    from target_pipelines.api.settings import TargetSettings
    from target_pipelines.destinations.authentication import Authenticate
    from target_pipelines.destinations.responses import ResponseClassifier

_MAX_RESPONSE_BYTES = 1024 * 1024
_MAX_CONNECT_SECONDS = 10.0


class HttpApi(Protocol):
    """What a sender uses of an `HttpProfile`."""

    @property
    def authenticate(self) -> Callable[[str], Authenticate]:
        """Adds the write key to requests."""

    @property
    def headers(self) -> Callable[[TargetSettings], Mapping[str, str]]:
        """Further headers, from the settings."""

    @property
    def classify(self) -> ResponseClassifier:
        """Classifies responses."""

    def url_of(self, base_url: str, calls: Sequence[EncodedCall]) -> str:
        """The URL of a request with these calls."""

    def body_of(self, calls: Sequence[EncodedCall]) -> bytes:
        """The body of a request with these calls."""


class HttpSender:
    """One connection, kept alive between attempts."""

    def __init__(
        self,
        api: HttpApi,
        base_url: str,
        settings: TargetSettings,
        *,
        max_bytes: int = sys.maxsize,
    ) -> None:
        self._api = api
        self._base_url = base_url
        self._max_bytes = max_bytes
        self._timeout_seconds = settings.timeout_seconds
        self._compresses = settings.gzip
        self._deadline = Deadline(settings.timeout_seconds)
        self._session = _open_session(api, settings, self._deadline)

    def send(self, calls: Sequence[EncodedCall]) -> Outcome:
        """POST the calls as one request; a retry has identical bytes."""
        url = self._api.url_of(self._base_url, calls)
        body = self._api.body_of(calls)
        if len(body) > self._max_bytes:  # a reshaped call may be larger
            return Rejected(f"the request has {len(body)} bytes; the limit is {self._max_bytes}")
        if self._compresses:
            body = gzip.compress(body, mtime=0)
        try:
            with self._deadline.limit():
                return self._post(url, body)
        except (requests.RequestException, HTTPError, AttemptEnded) as error:
            return outcome_of_error(error, is_timeout=self._deadline.is_over)

    def stop(self) -> None:
        """Begin no more requests, from whichever thread; one that was sent may end."""
        self._deadline.stop()

    def _post(self, url: str, body: bytes) -> Outcome:
        timeouts = (min(self._timeout_seconds, _MAX_CONNECT_SECONDS), self._timeout_seconds)
        with self._session.post(
            url, data=body, timeout=timeouts, allow_redirects=False, stream=True
        ) as response:
            start = _read_beginning(response)
        if self._deadline.is_over:  # a body that ends with its connection was cut
            raise AttemptEnded("the attempt has ended")
        if response.status_code == HTTPStatus.MISDIRECTED_REQUEST:
            self._session.close()  # RFC 9110, 15.5.20: repeat it on another connection
        return self._api.classify(
            response.status_code, response.headers, start, now=datetime.now(UTC)
        )

    def close(self) -> None:
        """Close the connection. Idempotent."""
        self._deadline.close()
        self._session.close()


def _open_session(api: HttpApi, settings: TargetSettings, deadline: Deadline) -> requests.Session:
    # Its messages quote URLs and responses, which may hold secrets.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    session = requests.Session()
    adapter = GuardedAdapter(deadline, tls_context(settings))
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    # By default no proxy gets the write key.
    session.trust_env = settings.trust_environment
    session.auth = api.authenticate(settings.write_key or "")
    own_headers = api.headers(settings)
    if not isinstance(own_headers, Mapping) or not all(map(_is_header, own_headers.items())):
        raise PluginError(
            f'Destination "{settings.destination_name}": `headers` must return texts in ASCII '
            "without line breaks, by name. Correct the plugin, and run it again."
        )
    session.headers.update(
        {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",  # responses are short; compressed, one could be a bomb
            "User-Agent": "target-pipelines",
            **({"Content-Encoding": "gzip"} if settings.gzip else {}),
            **own_headers,
        }
    )
    return session


def _is_header(item: tuple[object, object]) -> bool:
    return all(isinstance(text, str) and text.isascii() and text.isprintable() for text in item)


def _read_beginning(response: requests.Response) -> bytes:
    """The body up to the limit. Raises requests.ConnectionError if it is truncated before."""
    body: bytes = response.raw.read(_MAX_RESPONSE_BYTES, decode_content=False)
    if len(body) < _MAX_RESPONSE_BYTES and response.raw.length_remaining:
        raise requests.ConnectionError("the response is truncated")
    return body
