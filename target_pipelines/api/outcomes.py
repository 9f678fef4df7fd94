"""The outcomes of one attempt, by what happens to its calls next."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delivered:
    """The destination has all calls of the attempt."""


@dataclass(frozen=True, slots=True)
class Retry:
    """It has none, or nobody knows: send the same bytes again, not before `after_seconds`."""

    reason: str
    after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """It will not take these calls as they are; a batch is split to find the culprit."""

    reason: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Fatal:
    """It will take no call of this run."""

    reason: str


Outcome = Delivered | Retry | Rejected | Fatal
