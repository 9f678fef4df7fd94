"""The screen of a plan: a table of the syncs, what would fail, and what each destination gets."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from mssql_reverse_etl.plan import FAILURES, PlannedOutcome
from program_kit.console import cell, print_lines, print_table
from program_kit.humane import bytes_of, count_of, list_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mssql_reverse_etl.plan import Plan, PlannedDestination, PlannedSync

_MAX_REASONS = 5
_BEGINNING = "the beginning"
_IDLE = {PlannedOutcome.NOT_DUE: "not due", PlannedOutcome.DISABLED: "disabled"}


def show_plan(plan: Plan, *, note: str = "") -> None:
    """Print the screen on stdout. Raises StdoutFailed, or BrokenPipeError.

    `note` is a sentence about how the run would differ from an ordinary one.
    """
    if shown := [sync for sync in plan.syncs if sync.outcome not in _IDLE]:
        print_table(_table_of(shown, has_destinations=len(plan.destinations) > 1))
        print_lines([Text()])
    notes = [
        *_describe_failures(plan.syncs),
        *_describe_rejections(plan),
        *_describe_idle(plan.syncs),
        *(_describe_destination(each) for each in plan.destinations if each.calls),
    ]
    if notes:
        print_lines([*notes, Text()])
    print_lines([Text.assemble((_closing_sentence(plan, shown), "bold"), f" {note}" if note else "")])


def _table_of(syncs: Sequence[PlannedSync], *, has_destinations: bool) -> Table:
    """One row for each sync and destination; columns in which nothing stands are left out."""
    columns: dict[str, Callable[[PlannedSync], Text]] = {
        "since": lambda sync: _since_of(sync.since),
        "rows": lambda sync: Text(f"{sync.rows:,}"),
        "calls": lambda sync: _count_of(sync.calls),
        "filtered": lambda sync: _count_of(sync.filtered),
        "rejected": lambda sync: _count_of(sync.rejected, "yellow"),
        "requests": lambda sync: _count_of(sync.requests or 0),
        "bytes": lambda sync: Text(bytes_of(sync.bytes)) if sync.bytes else _count_of(0),
        "cost": lambda sync: Text(_amount_of(sync.cost)) if sync.cost else _count_of(0),
    }
    optional = {
        "filtered": any(sync.filtered for sync in syncs),
        "rejected": any(sync.rejected for sync in syncs),
        "requests": any(sync.requests for sync in syncs),
        "bytes": any(sync.bytes for sync in syncs),
        "cost": any(sync.cost is not None for sync in syncs),
    }
    shown = {name: make for name, make in columns.items() if optional.get(name, True)}
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("sync", overflow="fold")
    if has_destinations:
        table.add_column("destination", overflow="fold")
    for name in shown:
        justify = "left" if name == "since" else "right"
        table.add_column(name, justify=justify, no_wrap=name != "since")  # type: ignore[arg-type]
    previous = ""
    for sync in syncs:
        is_new = sync.sync != previous
        previous = sync.sync
        style = "red" if sync.outcome in FAILURES else ""
        table.add_row(
            cell(sync.sync if is_new else "", style),
            *([cell(sync.destination)] if has_destinations else []),
            *(
                make(sync) if is_new or name not in ("since", "rows") else Text()
                for name, make in shown.items()
            ),
        )
    return table


def _since_of(seconds: int | None) -> Text:
    """The lower bound of the query, in the time of this place."""
    if seconds is None:
        return Text("-", "dim")
    if seconds == 0:
        return Text(_BEGINNING)
    return Text(f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M}")


def _count_of(count: int, style: str = "") -> Text:
    return Text(f"{count:,}", style) if count else Text("-", "dim")


def _amount_of(cost: float) -> str:
    return f"{cost:,.2f}" if cost >= 0.01 else "<0.01"


def _describe_failures(syncs: Sequence[PlannedSync]) -> Iterator[Text]:
    """Each message once, with the syncs that it is about."""
    names: dict[tuple[PlannedOutcome, str], dict[str, None]] = {}
    for sync in syncs:
        if sync.message and sync.outcome not in _IDLE:
            names.setdefault((sync.outcome, sync.message), {})[sync.sync] = None
    for (outcome, message), those in names.items():
        style = "red" if outcome in FAILURES else "yellow"
        yield Text.assemble((f"{list_of(list(those))}: {outcome.value}: ", style), cell(message))


def _describe_rejections(plan: Plan) -> Iterator[Text]:
    for sync in plan.syncs:
        where = f"{sync.sync} to {sync.destination}" if len(plan.destinations) > 1 else sync.sync
        for reason, count in sync.reasons.most_common(_MAX_REASONS):
            yield Text.assemble(
                cell(where), ": ", (f"{count:,} rejected", "yellow"), ": ", cell(reason)
            )
        if (more := len(sync.reasons) - _MAX_REASONS) > 0:
            yield Text.assemble(cell(where), f": and {count_of(more, 'other reason')}")


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
