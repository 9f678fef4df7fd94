"""The outcome of each sync in a run: the JSON of `report_path`. Contains no row values."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tap_mssql_query.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


class Outcome(StrEnum):
    """The outcome of a sync."""

    READ = "read"
    """All its rows, or those of the one partition asked for, were written."""
    NOT_DUE = "not due"
    LOCKED = "locked"
    """Another run of it is still in progress."""
    INTERRUPTED = "cut short"
    """The run ended before the sync did."""
    FAILED = "failed"


@dataclass(slots=True)
class SyncReport:
    """The outcome of one sync.

    Attributes:
        outcome: see `Outcome`.
        rows: the number of rows written.
        seconds: its duration.
        last_sync_time: the lower bound of its window, unix seconds; None before it is known.
        sync_time: the upper bound.
    """

    outcome: Outcome = Outcome.INTERRUPTED
    rows: int = 0
    seconds: float = 0.0
    last_sync_time: int | None = None
    sync_time: int | None = None
    _started: float = field(default_factory=time.monotonic, repr=False)

    def end(self) -> None:
        """Record the end of the sync."""
        self.seconds = round(time.monotonic() - self._started, 3)

    def to_json(self) -> dict[str, Any]:
        """The entry of `report_path`."""
        return {
            "outcome": self.outcome.value,
            "rows": self.rows,
            "seconds": self.seconds,
            "last_sync_time": self.last_sync_time,
            "sync_time": self.sync_time,
        }


class TapReport:
    """The outcomes of the syncs of a run; syncs that were not reached are missing."""

    def __init__(self) -> None:
        self._syncs: dict[str, SyncReport] = {}

    def start(self, sync: str) -> SyncReport:
        """Start the report of a sync."""
        self._syncs[sync] = SyncReport()
        return self._syncs[sync]

    def write(self, path: Path) -> None:
        """Write the report as JSON. Raises ConfigurationError."""
        syncs = {name: report.to_json() for name, report in self._syncs.items()}
        try:
            path.write_text(json.dumps({"syncs": syncs}, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(
                f"Setting `report_path`: {path} cannot be written ({error.strerror})."
            ) from error
