"""What a check found: a level and a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How bad it is, and what the operator does next."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    """Correct the settings or the query."""
    REFUSED = "refused"
    """Look at SQL Server: it cannot be reached, or refuses."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found. The message holds no value of a row and no password."""

    level: Level
    message: str
