"""What lies where in the target's report: of one destination, or of several by name. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Report = Mapping[str, Any]


def destinations_of(target_report: Report) -> Mapping[str, Report]:
    """The report of each destination by its name; that of a single one under the empty name."""
    reports: Mapping[str, Report] = target_report.get("destinations", {"": target_report})
    return reports


def streams_of(target_report: Report, sync: str) -> Iterator[tuple[str, Report]]:
    """What each destination that got anything of a sync reports of it, with its name."""
    for report in destinations_of(target_report).values():
        if sync in report.get("streams", {}):
            yield report.get("destination", ""), report["streams"][sync]
