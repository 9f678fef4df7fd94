"""What a run has done, of both programs: a table on stderr."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_COUNTS = ("delivered", "filtered", "rejected")
_NOT_DUE = "not due"


@dataclass(slots=True)
class _Sync:
    outcome: str = ""
    rows: int = 0
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)


class Summary:
    """Joins the reports of tap and target, sync by sync; reports of several runs add up."""

    def __init__(self) -> None:
        self._syncs: dict[str, _Sync] = {}

    def add(self, tap_report: Mapping[str, Any], target_report: Mapping[str, Any]) -> None:
        """Add what one run of both programs told."""
        for name, entry in tap_report.get("syncs", {}).items():
            sync = self._of(name)
            sync.outcome = entry["outcome"]
            sync.rows += entry["rows"]
            sync.seconds += entry["seconds"]
        for report in target_report.get("destinations", {"": target_report}).values():
            for name, entry in report.get("streams", {}).items():
                self._of(name).counts.update({count: entry[count] for count in _COUNTS})

    def set_outcome(self, sync: str, outcome: str) -> None:
        """Say what became of a sync as a whole."""
        self._of(sync).outcome = outcome

    def show(self) -> None:
        """Print the table; nothing if nothing was due."""
        if all(sync.outcome == _NOT_DUE for sync in self._syncs.values()):
            return
        console = Console(file=sys.stderr, width=None if sys.stderr.isatty() else 100)
        table = Table("sync", "outcome", box=None)
        for heading in ("rows", *_COUNTS, "seconds"):
            table.add_column(heading, justify="right")
        for row in self._rows():
            table.add_row(*row)
        console.print(table)

    def _rows(self) -> Iterator[list[str]]:
        for name, sync in self._syncs.items():
            numbers = [
                f"{count:,}" for count in (sync.rows, *map(sync.counts.__getitem__, _COUNTS))
            ]
            yield [name, sync.outcome, *numbers, f"{sync.seconds:.1f}"]

    def _of(self, name: str) -> _Sync:
        return self._syncs.setdefault(name, _Sync())
