"""The outcomes of one delivery attempt, by what happens to its calls next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Delivered:
    """The destination has accepted all calls of the attempt."""


@dataclass(frozen=True, slots=True)
class Retry:
    """The destination has accepted none, or it is unknown: repeat the same bytes after a pause.

    `after_seconds` is the shortest pause; None leaves it to the retry policy. `blames_call` says
    that one call may be the cause, as with HTTP 500: when the retries run out, it is looked for,
    and becomes a dead letter if others are accepted. `status` is the HTTP status, if there is one.
    """

    reason: str
    after_seconds: float | None = None
    blames_call: bool = False
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The destination rejects these calls; a batch is split to isolate the call at fault."""

    reason: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class PartlyRejected:
    """The destination has accepted all calls of the attempt but these, which become dead letters.

    For an API that answers for each call, as with HTTP 207. `rejected` has the reason by the
    position of the call in the request, from 0. `count` is the number of calls that the API
    answered for: if it is not that of the request, the run stops instead of losing calls.
    """

    rejected: Mapping[int, Rejected]
    count: int


@dataclass(frozen=True, slots=True)
class Fatal:
    """The destination accepts no call of this run, which stops."""

    reason: str


Outcome = Delivered | PartlyRejected | Retry | Rejected | Fatal
