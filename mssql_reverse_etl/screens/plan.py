"""The screen of a plan: a table of the syncs, what would fail, and what each destination gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from mssql_reverse_etl.results.plan import FAILURES, PlannedOutcome
from mssql_reverse_etl.screens.local_time import local_time
from mssql_reverse_etl.screens.notes import describe_messages, describe_rejections
from mssql_reverse_etl.screens.output import NOTHING, plain_table
from program_kit.console import cell
from program_kit.humane import bytes_of, count_of, list_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import tzinfo

    from rich.console import JustifyMethod
    from rich.table import Table

    from mssql_reverse_etl.results.plan import Plan, PlannedDestination, PlannedSync
    from mssql_reverse_etl.screens.output import Part

_SMALLEST_AMOUNT = 0.01
_BEGINNING = "beginning"
_COUNTS = ("filtered", "rejected", "requests", "bytes", "cost")
"""Columns that are shown if any sync has such."""
_IDLE = {PlannedOutcome.NOT_DUE: "not due", PlannedOutcome.PAUSED: "paused"}


def plan_screen(plan: Plan, *, note: str = "", zone: tzinfo | None = None) -> Iterator[Part]:
    """The parts of the screen.

    `note` is a sentence about how the run would differ from an ordinary one.
    """
    if shown := [sync for sync in plan.syncs if sync.outcome not in _IDLE]:
        yield _table_of(shown, zone, has_destinations=len(plan.destinations) > 1)
        yield Text()
    if notes := [
        *_notes(plan),
        *_describe_idle(plan.syncs),
        *(_describe_destination(each) for each in plan.destinations if each.calls),
    ]:
        yield from notes
        yield Text()
    yield Text.assemble((_closing_sentence(plan, shown), "bold"), f" {note}" if note else "")


def _table_of(
    syncs: Sequence[PlannedSync], zone: tzinfo | None, *, has_destinations: bool
) -> Table:
    """A row for each sync and destination; the sync is named in the first."""
    shown = [name for name in _COUNTS if any(_value_of(sync, name) for sync in syncs)]
    headings: dict[str, JustifyMethod] = {"sync": "left"}
    headings |= {"destination": "left"} if has_destinations else {}
    headings |= {"since": "left", **dict.fromkeys(("rows", "calls", *shown), "right")}
    table = plain_table(headings, gap=1)
    previous = ""
    for sync in sorted(syncs, key=lambda sync: sync.outcome not in FAILURES):
        is_first, previous = sync.sync != previous, sync.sync
        style = "red" if sync.outcome in FAILURES else ""
        table.add_row(
            cell(sync.sync if is_first else "", style),
            *([cell(sync.destination)] if has_destinations else []),
            Text(_since_of(sync.since, zone) if is_first else ""),
            Text(f"{sync.rows:,}" if is_first else ""),
            *(_cell_of(sync, name) for name in ("calls", *shown)),
        )
    return table


def _since_of(seconds: int | None, zone: tzinfo | None) -> str:
    """The lower bound of the query, in the time of this place."""
    if seconds == 0:
        return _BEGINNING
    time = local_time(seconds, zone)
    return time if seconds is None else time.rpartition(" ")[0]


def _value_of(sync: PlannedSync, name: str) -> float | None:
    value: float | None = getattr(sync, name)
    return value


def _cell_of(sync: PlannedSync, name: str) -> Text:
    value = _value_of(sync, name)
    if not value:
        return NOTHING
    return Text(_FORMATS.get(name, "{:,}".format)(value), "yellow" if name == "rejected" else "")


def _amount_of(cost: float) -> str:
    return f"{cost:,.2f}" if cost >= _SMALLEST_AMOUNT else f"<{_SMALLEST_AMOUNT}"


_FORMATS: Mapping[str, Callable[[float], str]] = {
    "bytes": lambda size: bytes_of(int(size)),
    "cost": _amount_of,
}


def _notes(plan: Plan) -> Iterator[Text]:
    """Each message and each reason of rejections."""
    yield from describe_messages(
        (sync.sync, sync.outcome.value, sync.message)
        for sync in plan.syncs
        if sync.message and sync.outcome not in _IDLE
    )
    for sync in plan.syncs:
        where = sync.destination if len(plan.destinations) > 1 else ""
        yield from describe_rejections(sync.sync, where, sync.reasons)


def _describe_idle(syncs: Sequence[PlannedSync]) -> Iterator[Text]:
    for outcome, word in _IDLE.items():
        if names := list(dict.fromkeys(each.sync for each in syncs if each.outcome == outcome)):
            yield cell(f"{list_of(names)}: {word}", "dim")


def _describe_destination(destination: PlannedDestination) -> Text:
    cost = "" if destination.cost is None else f", at about {_amount_of(destination.cost)}"
    return cell(
        f"{destination.name}: {count_of(destination.calls, 'call')} in "
        f"{count_of(destination.requests, 'request')}, {bytes_of(destination.bytes)}{cost}"
    )


def _closing_sentence(plan: Plan, shown: Sequence[PlannedSync]) -> str:
    calls = sum(destination.calls for destination in plan.destinations)
    senders = len({sync.sync for sync in plan.syncs if sync.calls})
    failed = len({sync.sync for sync in shown if sync.outcome in FAILURES})
    if any(sync.outcome == PlannedOutcome.INTERRUPTED for sync in shown):
        return "The plan was interrupted: not every sync was counted. Nothing was sent."
    if not shown:
        return "A run would do nothing now: no sync is due."
    parts = [f"A run would send {count_of(calls, 'call')} of {count_of(senders, 'sync')} now"]
    if not calls:
        parts = ["A run would send nothing now"]
    if failed:
        parts.append(f"{count_of(failed, 'sync')} would fail")
    return "; ".join(parts) + ". Nothing was sent."
