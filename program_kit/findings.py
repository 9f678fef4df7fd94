"""The results of a check: each finding has a level and a message."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Level(Enum):
    """The severity of a finding, and what the operator does next."""

    OK = auto()
    WARNING = auto()
    ERROR = auto()
    """Correct the settings or the query."""
    SERVER_ERROR = auto()
    """Look at the server: it is unreachable, or denies a permission."""

    @property
    def label(self) -> str:
        """Its text in a table."""
        return "error" if self is Level.SERVER_ERROR else self.name.lower()


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of a check. The message contains no row value and no password."""

    level: Level
    message: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The findings about one subject: a database, a sync, the plugins."""

    subject: str
    findings: Sequence[Finding]
