"""Scripted behaviour: how the collector treats requests instead of responding as the API would."""

from __future__ import annotations

import gzip
import random
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How to treat the requests that it matches.

    Attributes:
        status: the response's status; None responds as the API would. With a status the calls are
            not committed, unless `commit` is set.
        headers: additional response headers, such as Retry-After or Location.
        body: the response's body.
        padding_bytes: number of spaces appended to the body.
        gzip_bytes: instead of the body, send gzip that decompresses to this many bytes.
        commit: commit the calls despite the status.
        delay_seconds: time between the commit and the response.
        drip_seconds: time before each byte of the response's body.
        drop: close the connection without a response, `before` or `after` the commit.
        contains: match only requests whose body contains this text.
        times: how many requests it matches; None means all further ones.
        probability: share of them treated this way; the others get the API's response.
        seed: seed of the random numbers for `probability`.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    padding_bytes: int = 0
    gzip_bytes: int = 0
    commit: bool = False
    delay_seconds: float = 0.0
    drip_seconds: float = 0.0
    drop: Literal["before", "after"] | None = None
    contains: str = ""
    times: int | None = 1
    probability: float = 1.0
    seed: int = 0

    @property
    def commits(self) -> bool:
        """Whether the calls of the request are committed."""
        return self.commit or self.drop == "after" or (self.status is None and self.drop is None)

    def response_body(self) -> bytes:
        """The response body."""
        if self.gzip_bytes:
            return gzip.compress(b" " * self.gzip_bytes)
        return self.body.encode() + b" " * self.padding_bytes


AS_USUAL = Behaviour()


def parse_behaviours(entries: Iterable[Mapping[str, Any]]) -> list[Behaviour]:
    """Parse behaviours from JSON. Raises TypeError for an unknown key."""
    return [Behaviour(**entry) for entry in entries]


class _Entry:
    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.left = behaviour.times
        self.rng = random.Random(behaviour.seed)  # noqa: S311 - faults, not secrets

    def matches(self, body: bytes) -> bool:
        return self.left != 0 and self.behaviour.contains.encode() in body

    def take(self) -> Behaviour:
        if self.left is not None:
            self.left -= 1
        return self.behaviour if self.rng.random() < self.behaviour.probability else AS_USUAL


class Script:
    """The scripted behaviours; each request takes the first that matches it."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._lock = threading.Lock()

    def replace(self, behaviours: Iterable[Behaviour]) -> None:
        """Replace all behaviours."""
        with self._lock:
            self._entries = [_Entry(behaviour) for behaviour in behaviours]

    def take(self, body: bytes) -> Behaviour:
        """How to treat a request with this body."""
        with self._lock:
            for entry in self._entries:
                if entry.matches(body):
                    return entry.take()
        return AS_USUAL
