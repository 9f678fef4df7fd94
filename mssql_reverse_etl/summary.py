"""The summary of a run on stderr: a table of all syncs with the counts of both programs."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from tap_mssql_query.sync.report import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_COUNTS = ("delivered", "filtered", "rejected")


@dataclass(slots=True)
class _Sync:
    outcome: str = ""
    rows: int = 0
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)


class Summary:
    """Joins the reports of tap and target by sync; the reports of several runs add up."""

    def __init__(self) -> None:
        self._syncs: dict[str, _Sync] = {}

    def add(self, tap_report: Mapping[str, Any], target_report: Mapping[str, Any]) -> None:
        """Add the reports of one run of both programs."""
        for name, entry in tap_report.get("syncs", {}).items():
            sync = self._get(name)
            sync.outcome = entry["outcome"]
            sync.rows += entry["rows"]
            sync.seconds += entry["seconds"]
        for report in target_report.get("destinations", {"": target_report}).values():
            for name, entry in report.get("streams", {}).items():
                self._get(name).counts.update({count: entry[count] for count in _COUNTS})

    def set_outcome(self, sync: str, outcome: str) -> None:
        """Set the outcome of a sync."""
        self._get(sync).outcome = outcome

    def show(self) -> None:
        """Print the table, unless no sync was due."""
        if all(sync.outcome == Outcome.NOT_DUE for sync in self._syncs.values()):
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
            counts = [sync.rows, *(sync.counts[count] for count in _COUNTS)]
            yield [name, sync.outcome, *(f"{count:,}" for count in counts), f"{sync.seconds:.1f}"]

    def _get(self, name: str) -> _Sync:
        return self._syncs.setdefault(name, _Sync())
