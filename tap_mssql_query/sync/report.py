"""What became of each sync in a run: the JSON of `report_path`. Holds no value of a row."""

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
    """What became of a sync."""

    READ = "read"
    """All its rows, or those of the one partition asked for, were written."""
    NOT_DUE = "not due"
    LOCKED = "locked"
    """Another run of it is not over."""
    INTERRUPTED = "cut short"
    """The run ended before the sync did."""
    FAILED = "failed"


@dataclass(slots=True)
class SyncReport:
    """What became of one sync.

    Attributes:
        outcome: see `Outcome`.
        rows: how many were written.
        seconds: from its start to its end.
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
        """The sync is at its end."""
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
    """What became of the syncs of a run; those that it did not come to are not in it."""

    def __init__(self) -> None:
        self._syncs: dict[str, SyncReport] = {}

    def start(self, sync: str) -> SyncReport:
        """The report of a sync that begins."""
        self._syncs[sync] = SyncReport()
        return self._syncs[sync]

    def write(self, path: Path) -> None:
        """Write it as JSON. Raises ConfigurationError."""
        syncs = {name: report.to_json() for name, report in self._syncs.items()}
        try:
            path.write_text(json.dumps({"syncs": syncs}, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(
                f"Setting `report_path`: {path} cannot be written ({error.strerror})."
            ) from error
