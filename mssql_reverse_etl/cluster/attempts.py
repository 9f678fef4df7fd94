"""The attempts at one task of a run, and the workers that may run the next one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_MAX_ATTEMPTS = 3
_MAX_WITHDRAWALS = 3
"""As Dask's `allowed-failures`: a task that ends its workers must not be submitted for ever."""


@dataclass(slots=True)
class Attempts:
    """Counts the attempts at one task and remembers where they failed.

    Attributes:
        count: attempts that were submitted.
        withdrawals: submissions that were replaced because all of their workers left.
        failed_on: addresses of the workers on which an attempt failed, or that were lost with one.
        allowed: the workers to which the current submission is restricted; empty for any.
    """

    count: int = 0
    withdrawals: int = 0
    failed_on: set[str] = field(default_factory=set)
    allowed: frozenset[str] = frozenset()

    @property
    def may_retry(self) -> bool:
        """Whether a failed attempt may be followed by another."""
        return self.count < _MAX_ATTEMPTS

    @property
    def may_resubmit(self) -> bool:
        """Whether a submission whose workers left may be replaced."""
        return self.withdrawals < _MAX_WITHDRAWALS

    def restrict(self, live: Collection[str]) -> None:
        """Restrict the next submission to live workers without a failed attempt, if there are any.

        If every live worker has failed, any of them may run it.
        """
        self.allowed = frozenset(live) - self.failed_on if self.failed_on else frozenset()

    def is_stranded(self, live: Collection[str]) -> bool:
        """Whether the current submission waits for workers that have all left."""
        return bool(self.allowed) and self.allowed.isdisjoint(live)

    def withdraw(self) -> None:
        """Count the workers of the current submission as failed."""
        self.failed_on |= self.allowed
        self.withdrawals += 1
