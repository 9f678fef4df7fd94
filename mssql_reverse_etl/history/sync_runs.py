"""The row of a sync in the history, from the reports of both programs. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.results.outcomes import SyncOutcome, SyncResult
from mssql_reverse_etl.results.target_report import streams_of
from mssql_reverse_etl.results.times import text_of_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_REASONS = 50
"""Of a sync and a destination; the calls of all others are one row."""
OTHER_REASONS = "other reasons"
_COUNTS = {
    "delivered": "delivered",
    "filtered": "filtered",
    "rejected": "rejected",
    "requests": "requests",
    "retries": "retries",
    "bytes_sent": "sent_bytes",
}
"""Columns, and where the target's report has them."""

_Reason = tuple[str, int | None]


@dataclass(slots=True)
class SyncRun:
    """What the history keeps of one sync in one run; the reports of several tasks add up."""

    sync: str
    call_type: str
    result: SyncResult | None = None
    rows_read: int = 0
    seconds: float = 0.0
    last_sync_time: int | None = None
    sync_time: int | None = None
    counts: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, Counter[_Reason]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, tap_report: Mapping[str, Any], target_report: Mapping[str, Any]) -> None:
        """Add one run of both programs."""
        seconds = [0.0]
        if entry := tap_report.get("syncs", {}).get(self.sync):
            self.rows_read += entry["rows"]
            seconds.append(entry["seconds"])
            if self.last_sync_time is None:
                self.last_sync_time = entry["last_sync_time"]
            self.sync_time = entry["sync_time"] or self.sync_time
        for name, stream in streams_of(target_report, self.sync):
            seconds.append(stream.get("seconds", 0.0))
            self.call_type = stream.get("call_type") or self.call_type
            for column, key in _COUNTS.items():
                self.counts[column] += stream.get(key, 0)
            for each in stream.get("rejections", ()):
                self.reasons[name][each["reason"], each["status"]] += each["calls"]
        self.seconds += max(seconds)

    def add_requests(self, target_report: Mapping[str, Any]) -> None:
        """Add the requests of calls that were sent again."""
        for _, stream in streams_of(target_report, self.sync):
            for column in ("requests", "retries", "bytes_sent"):
                self.counts[column] += stream.get(_COUNTS[column], 0)

    def row(self, run_id: int, fallback: SyncResult) -> dict[str, Any]:
        """Its row of `sync_runs`; `fallback` is the outcome of a sync that has none."""
        result = self.result or fallback
        return {
            "run_id": run_id,
            "sync": self.sync,
            "call_type": self.call_type,
            "outcome": self._outcome(result.outcome),
            "rows_read": self.rows_read,
            "added": None,
            "changed": None,
            "removed": None,
            **{column: self.counts[column] for column in _COUNTS},
            "seconds": round(self.seconds, 3),
            "last_sync_time": text_of_seconds(self.last_sync_time),
            "sync_time": text_of_seconds(self.sync_time),
            "message": result.message or (fallback.message if _is_bad(result) else ""),
        }

    def _outcome(self, outcome: SyncOutcome) -> str:
        if outcome == SyncOutcome.DELIVERED and not self.rows_read:
            return "nothing_new"
        return outcome.replace(" ", "_")

    def rejections(self, run_id: int) -> Iterator[dict[str, Any]]:
        """Its rows of `rejections`, the most frequent reasons first."""
        for destination, reasons in self.reasons.items():
            common = reasons.most_common(MAX_REASONS)
            others = reasons.total() - sum(calls for _, calls in common)
            rest: list[tuple[_Reason, int]] = [((OTHER_REASONS, None), others)] if others else []
            for (reason, status), calls in [*common, *rest]:
                yield {
                    "run_id": run_id,
                    "sync": self.sync,
                    "destination": destination,
                    "reason": reason,
                    "status": status,
                    "calls": calls,
                }


def _is_bad(result: SyncResult) -> bool:
    return result.outcome in (SyncOutcome.FAILED, SyncOutcome.INTERRUPTED)
