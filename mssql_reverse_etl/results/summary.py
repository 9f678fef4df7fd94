"""The outcome of each sync in a run: the counts of both programs, joined by sync."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.results.outcomes import FAILURES, SyncOutcome, SyncResult
from mssql_reverse_etl.results.target_report import destinations_of, streams_of
from tap_mssql_query.sync.report import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COUNTS = ("delivered", "filtered", "rejected", "discarded")


@dataclass(slots=True)
class Delivery:
    """What one destination got of a sync: counts, and the reasons and kinds of rejections."""

    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, stream: Mapping[str, Any]) -> None:
        """Add the entry of a stream in the target's report."""
        self.counts.update({count: stream.get(count, 0) for count in COUNTS})
        self.reasons.update(stream.get("rejected_by_reason", {}))
        self.kinds.update(stream.get("rejected_by_kind", {}))


@dataclass(slots=True)
class SyncSummary:
    """One sync: its outcome, the rows read, and what each destination got, by its name."""

    result: SyncResult | None = None
    rows: int = 0
    seconds: float = 0.0
    deliveries: dict[str, Delivery] = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        """Its outcome in words; empty before it is known."""
        if self.result is None:
            return ""
        is_empty = self.result.outcome == SyncOutcome.DELIVERED and not self.rows
        return "nothing new" if is_empty else self.result.outcome.value

    @property
    def has_failed(self) -> bool:
        """Whether it keeps its bookmark because of a failure."""
        return self.result is not None and self.result.outcome in FAILURES

    @property
    def is_idle(self) -> bool:
        """Whether it was not due."""
        return self.result is not None and self.result.outcome == SyncOutcome.NOT_DUE

    def count(self, name: str) -> int:
        """A count over all destinations."""
        return sum(delivery.counts[name] for delivery in self.deliveries.values())


def _seconds_of(target_report: Mapping[str, Any], sync: str) -> float:
    """How long the slowest destination took, from the first row to the last call."""
    streams = streams_of(target_report, sync)
    return max((stream.get("seconds", 0.0) for _, stream in streams), default=0.0)


class Summary:
    """The syncs of a run, by name; the reports of several runs of both programs add up."""

    def __init__(self) -> None:
        self.syncs: dict[str, SyncSummary] = {}
        self.retried = Delivery()  # calls that earlier runs had as rejected

    def add(self, tap_report: Mapping[str, Any], target_report: Mapping[str, Any]) -> None:
        """Add the counts of one run of both programs."""
        for name, entry in tap_report.get("syncs", {}).items():
            sync = self._get(name)
            if entry["outcome"] == Outcome.NOT_DUE:
                sync.result = SyncResult(SyncOutcome.NOT_DUE)
            sync.rows += entry["rows"]
            sync.seconds += max(entry["seconds"], _seconds_of(target_report, name))
        for destination, report in destinations_of(target_report).items():
            for name, entry in report.get("streams", {}).items():
                self._get(name).deliveries.setdefault(destination, Delivery()).add(entry)

    def add_retried(self, target_report: Mapping[str, Any]) -> None:
        """Add what became of the rejected calls that were sent again."""
        for report in destinations_of(target_report).values():
            for entry in report.get("streams", {}).values():
                self.retried.add(entry)

    def sort(self, names: Sequence[str]) -> None:
        """Put the syncs into this order; others follow."""
        places = {name: place for place, name in enumerate(names)}
        ordered = sorted(self.syncs, key=lambda name: places.get(name, len(places)))
        self.syncs = {name: self.syncs[name] for name in ordered}

    def set_result(self, sync: str, result: SyncResult) -> None:
        """Set the outcome of a sync."""
        self._get(sync).result = result

    def outcome_of(self, sync: str) -> SyncOutcome | None:
        """The outcome of a sync, if one was set."""
        result = self._get(sync).result
        return result.outcome if result else None

    def count(self, name: str) -> int:
        """A count over all syncs and destinations."""
        return sum(sync.count(name) for sync in self.syncs.values())

    def _get(self, name: str) -> SyncSummary:
        return self.syncs.setdefault(name, SyncSummary())
