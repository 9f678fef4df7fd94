"""What a run would send: the reports of both programs, joined by sync and destination. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.results.outcomes import SyncOutcome
from mssql_reverse_etl.results.target_report import destinations_of
from mssql_reverse_etl.results.times import text_of_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mssql_reverse_etl.results.outcomes import SyncResult
    from tap_mssql_query.settings.model import SyncSettings
    from target_pipelines.api.settings import TargetSettings


class PlannedOutcome(StrEnum):
    """What a run would do with a sync."""

    DUE = "due"
    NOT_DUE = "not_due"
    PAUSED = "paused"
    FAILED = "failed"
    REJECTED = "rejected"
    """It would fail because too many of its rows are rejected."""
    INTERRUPTED = "interrupted"
    """The plan ended before it was counted."""


FAILURES = frozenset({PlannedOutcome.FAILED, PlannedOutcome.REJECTED})
_OUTCOMES = {
    SyncOutcome.DELIVERED: PlannedOutcome.DUE,
    SyncOutcome.NOT_DUE: PlannedOutcome.NOT_DUE,
    SyncOutcome.REJECTED: PlannedOutcome.REJECTED,
    SyncOutcome.INTERRUPTED: PlannedOutcome.INTERRUPTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSync:
    """One sync at one destination.

    Attributes:
        sync: its name.
        destination: the name of the destination.
        call_type: what its rows become; empty if that is not known.
        outcome: what a run would do with it.
        message: why it would fail.
        since: the lower bound of its query, in unix seconds; None if it is not read.
        rows: how many rows its query returns.
        calls: how many calls are sent.
        filtered: rows that become no calls on purpose.
        rejected: rows that cannot become calls.
        reasons: of the rejected ones.
        requests: requests with its calls.
        bytes: bytes of its calls.
        cost: of its calls; None if the destination has no price.
    """

    sync: str
    destination: str
    call_type: str = ""
    outcome: PlannedOutcome
    message: str = ""
    since: int | None = None
    rows: int = 0
    calls: int = 0
    filtered: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    bytes: int = 0
    cost: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The object of `--json`."""
        return {
            "sync": self.sync,
            "destination": self.destination,
            "call_type": self.call_type,
            "outcome": self.outcome.value,
            "last_sync_time": text_of_seconds(self.since),
            "rows_read": self.rows,
            "calls": self.calls,
            "filtered": self.filtered,
            "rejected": self.rejected,
            "rejections": [
                {"reason": reason, "calls": count} for reason, count in self.reasons.most_common()
            ],
            "requests": self.requests,
            "bytes": self.bytes,
            "estimated_cost": self.cost,
            "message": self.message,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDestination:
    """All syncs at one destination; a request may have calls of several of them."""

    name: str
    calls: int = 0
    requests: int = 0
    bytes: int = 0
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would send.

    Attributes:
        syncs: one entry for each sync and destination.
        destinations: the totals of each destination.
    """

    syncs: Sequence[PlannedSync] = ()
    destinations: Sequence[PlannedDestination] = ()


def make_plan(
    syncs: Sequence[SyncSettings],
    destinations: Sequence[TargetSettings],
    results: Mapping[str, SyncResult],
    tap_report: Mapping[str, Any],
    target_report: Mapping[str, Any],
) -> Plan:
    """The plan for these syncs; `results` has what became of each that is enabled."""
    reports = destinations_of(target_report).values()
    parts = {report.get("destination"): report for report in reports}
    read = tap_report.get("syncs", {})
    return Plan(
        [
            _plan_sync(
                sync,
                settings,
                parts.get(settings.destination_name, {}),
                results,
                read.get(sync.name, {}),
            )
            for sync in syncs
            for settings in destinations
        ],
        [
            _plan_destination(settings, parts.get(settings.destination_name, {}))
            for settings in destinations
        ],
    )


def _plan_sync(
    sync: SyncSettings,
    settings: TargetSettings,
    report: Mapping[str, Any],
    results: Mapping[str, SyncResult],
    entry: Mapping[str, Any],
) -> PlannedSync:
    """One sync at one destination, from their entries in both reports."""
    stream = report.get("streams", {}).get(sync.name, {})
    result = results.get(sync.name)
    calls = stream.get("delivered", 0)
    return PlannedSync(
        sync=sync.name,
        destination=settings.destination_name,
        call_type=stream.get("call_type") or sync.type,
        outcome=_outcome_of(result) if sync.enabled else PlannedOutcome.PAUSED,
        message=result.message if result else "",
        since=entry.get("last_sync_time"),
        rows=entry.get("rows", 0),
        calls=calls,
        filtered=stream.get("filtered", 0),
        rejected=stream.get("rejected", 0),
        reasons=Counter(stream.get("rejected_by_reason", {})),
        requests=stream.get("requests", 0),
        bytes=stream.get("sent_bytes", 0),
        cost=_cost_of(calls, settings),
    )


def _plan_destination(settings: TargetSettings, report: Mapping[str, Any]) -> PlannedDestination:
    calls = sum(stream.get("delivered", 0) for stream in report.get("streams", {}).values())
    return PlannedDestination(
        name=settings.destination_name,
        calls=calls,
        requests=report.get("requests", 0),
        bytes=report.get("sent_bytes", 0),
        cost=_cost_of(calls, settings),
    )


def _cost_of(calls: int, settings: TargetSettings) -> float | None:
    price = settings.price_per_1000_calls
    return None if price is None else round(calls / 1000 * price, 6)


def _outcome_of(result: SyncResult | None) -> PlannedOutcome:
    if result is None:
        return PlannedOutcome.INTERRUPTED
    return _OUTCOMES.get(result.outcome, PlannedOutcome.FAILED)
