"""What a check found: a level and a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Level(Enum):
    """How bad it is, and what the operator does next."""

    OK = auto()
    WARNING = auto()
    ERROR = auto()
    """Correct the settings or the query."""
    REFUSED = auto()
    """Look at SQL Server: it cannot be reached, or refuses."""

    @property
    def word(self) -> str:
        """How a table says it."""
        return "error" if self is Level.REFUSED else self.name.lower()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found. The message holds no value of a row and no password."""

    level: Level
    message: str


@dataclass(frozen=True, slots=True)
class Checked:
    """The findings about one subject: a database, a sync, the plugins."""

    place: str
    findings: Sequence[Finding]
