"""The summary of a run on stderr: a table of all syncs with the counts of both programs."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.table import Table

from mssql_reverse_etl.outcomes import SyncOutcome, SyncResult
from program_kit.console import cell, print_line, summary_console
from tap_mssql_query.sync.report import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.text import Text

_COUNTS = ("delivered", "filtered", "rejected", "discarded")


@dataclass(slots=True)
class _Sync:
    result: SyncResult | None = None
    rows: int = 0
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)


class Summary:
    """Joins the reports of tap and target by sync; the reports of several runs add up."""

    def __init__(self) -> None:
        self._syncs: dict[str, _Sync] = {}

    def add(self, tap_report: Mapping[str, Any], target_report: Mapping[str, Any]) -> None:
        """Add the counts of one run of both programs."""
        for name, entry in tap_report.get("syncs", {}).items():
            sync = self._get(name)
            if entry["outcome"] == Outcome.NOT_DUE:
                sync.result = SyncResult(SyncOutcome.NOT_DUE)
            sync.rows += entry["rows"]
            sync.seconds += entry["seconds"]
        for report in target_report.get("destinations", {"": target_report}).values():
            for name, entry in report.get("streams", {}).items():
                counts = {count: entry.get(count, 0) for count in _COUNTS}
                self._get(name).counts.update(counts)

    def set_result(self, sync: str, result: SyncResult) -> None:
        """Set the outcome of a sync."""
        self._get(sync).result = result

    def outcome_of(self, sync: str) -> SyncOutcome | None:
        """The outcome of a sync, if one was set."""
        result = self._get(sync).result
        return result.outcome if result else None

    def show(self) -> None:
        """Print the table and the reasons, unless no sync was due."""
        results = [sync.result for sync in self._syncs.values()]
        if all(result and result.outcome == SyncOutcome.NOT_DUE for result in results):
            return
        console = summary_console()
        table = Table("sync", "outcome", box=None)
        for heading in ("rows", *_COUNTS, "seconds"):
            table.add_column(heading, justify="right")
        for row in self._rows():
            table.add_row(*row)
        with contextlib.suppress(OSError):  # a full disk under stderr must not hide the outcome
            console.print(table)
            for name, sync in self._syncs.items():
                if sync.result and sync.result.message:
                    text = f"{name}: {sync.result.outcome}: {sync.result.message}"
                    print_line(console, text)

    def _rows(self) -> Iterator[list[str | Text]]:
        for name, sync in self._syncs.items():
            counts = [sync.rows, *(sync.counts[count] for count in _COUNTS)]
            outcome = sync.result.outcome if sync.result else ""
            yield [cell(name), outcome, *(f"{count:,}" for count in counts), f"{sync.seconds:.1f}"]

    def _get(self, name: str) -> _Sync:
        return self._syncs.setdefault(name, _Sync())
