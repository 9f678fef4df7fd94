"""The screen at the end of a run: a table of the syncs, what to do, and one closing sentence."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from mssql_reverse_etl.log import is_for_programs
from mssql_reverse_etl.results.outcomes import SyncOutcome
from mssql_reverse_etl.results.summary import COUNTS, Delivery
from mssql_reverse_etl.screens.notes import describe_messages, describe_rejections
from mssql_reverse_etl.screens.output import (
    count_cell,
    outcome_cell,
    plain_table,
    rejected_cell,
)
from program_kit.console import cell, drop_stdout, print_lines, print_table
from program_kit.errors import StdoutFailed
from program_kit.humane import count_of, duration_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import JustifyMethod
    from rich.table import Table

    from mssql_reverse_etl.results.summary import Summary, SyncSummary

logger = logging.getLogger(__name__)

_CELLS = {"rejected": rejected_cell, "discarded": rejected_cell}


@dataclass(frozen=True, slots=True)
class Commands:
    """What to type after a run, where it was started with a project.

    Attributes:
        rejected: shows the rejected calls, or where they are.
        replay: sends them again.
        resync: begins the command that reads syncs again.
    """

    rejected: str = "`mssql-reverse-etl rejected`"
    replay: str = "mssql-reverse-etl rejected --replay"
    resync: str = "mssql-reverse-etl run"


NO_COMMANDS = Commands(rejected="", replay="", resync="")
"""After a run whose rejected rows left no dead letters."""


def show_run(summary: Summary, commands: Commands, *, seconds: float, ending: str = "") -> int:
    """Print the screen on stdout; log the same for programs.

    `ending` is a sentence about what ended the run early. The exit code is that of a stdout that
    cannot be written, else 0.
    """
    _log_run(summary, seconds)
    if is_for_programs():
        return 0
    try:
        if any(not sync.is_idle for sync in summary.syncs.values()):
            print_table(_table_of(summary))
            print_lines([Text()])
        if notes := [*_notes(summary), *_remedies(summary, commands)]:
            print_lines([*notes, Text()])
        closing = _closing_sentence(summary, commands, seconds)
        print_lines([Text.assemble((closing, "bold"), f" {ending}" if ending else "")])
    except BrokenPipeError:  # the exit code is that of the run
        drop_stdout()
    except StdoutFailed as error:
        logger.error("%s", error)  # noqa: TRY400 - no bug
        drop_stdout()
        return error.exit_code
    return 0


def _log_run(summary: Summary, seconds: float) -> None:
    for name, sync in summary.syncs.items():
        if sync.result and not sync.is_idle:
            counts = " ".join(f"{count}={sync.count(count)}" for count in COUNTS)
            outcome = sync.outcome.replace(" ", "_")
            logger.info(
                "sync=%s outcome=%s rows=%d %s sync ended", name, outcome, sync.rows, counts
            )
    failed = sum(sync.has_failed for sync in summary.syncs.values())
    if again := summary.retried.counts.total():
        accepted = summary.retried.counts["delivered"]
        logger.info("calls=%d delivered=%d rejected calls sent again", again, accepted)
    logger.info(
        "syncs=%d failed=%d delivered=%d rejected=%d seconds=%.1f run ended",
        len(summary.syncs),
        failed,
        summary.count("delivered"),
        summary.count("rejected"),
        seconds,
    )


def _table_of(summary: Summary) -> Table:
    """One row for each sync that was due and each destination, failures first."""
    syncs = sorted(
        ((name, sync) for name, sync in summary.syncs.items() if not sync.is_idle),
        key=lambda item: not item[1].has_failed,
    )
    destinations = {name for _, sync in syncs for name in sync.deliveries}
    shown = [c for c in COUNTS if c == "delivered" or any(sync.count(c) for _, sync in syncs)]
    headings: dict[str, JustifyMethod] = {"sync": "left"}
    headings |= {"destination": "left"} if len(destinations) > 1 else {}
    headings |= {"outcome": "left", "rows": "right", **dict.fromkeys(shown, "right")}
    table = plain_table({**headings, "time": "right"})
    for name, sync in syncs:
        for row in _rows_of(name, sync, shown, has_destinations=len(destinations) > 1):
            table.add_row(*row)
    return table


def _rows_of(
    name: str, sync: SyncSummary, shown: Sequence[str], *, has_destinations: bool
) -> Iterator[list[Text]]:
    """A row for each destination; the sync is named in the first."""
    deliveries: Mapping[str, Delivery] = sync.deliveries or {"": Delivery()}
    for number, (destination, delivery) in enumerate(deliveries.items()):
        is_first = number == 0
        yield [
            cell(name if is_first else "", "red" if sync.has_failed else ""),
            *([cell(destination)] if has_destinations else []),
            outcome_cell(sync.outcome) if is_first else Text(),
            Text(f"{sync.rows:,}" if is_first else ""),
            *(_CELLS.get(count, count_cell)(delivery.counts[count]) for count in shown),
            Text(duration_of(sync.seconds) if is_first else "", "dim"),
        ]


def _notes(summary: Summary) -> Iterator[Text]:
    """Each message and each reason of rejections."""
    results = [
        (name, sync.result.outcome.value, sync.result.message)
        for name, sync in summary.syncs.items()
        if sync.result and sync.result.message and not sync.is_idle
    ]
    yield from describe_messages(sorted(results, key=lambda item: item[1]))
    for name, sync in summary.syncs.items():
        for destination, delivery in sync.deliveries.items():
            where = destination if len(sync.deliveries) > 1 else ""
            yield from describe_rejections(name, where, delivery.reasons)


def _remedies(summary: Summary, commands: Commands) -> Iterator[Text]:
    """The commands to type for rejected rows, after the correction of their cause."""
    kinds: dict[str, list[str]] = {}
    for name, sync in summary.syncs.items():
        if not sync.has_failed:
            for kind in {kind for each in sync.deliveries.values() for kind in each.kinds}:
                kinds.setdefault(kind, []).append(name)
    if commands == NO_COMMANDS:
        return
    if names := kinds.get("query"):
        options = " ".join(f"--resync {name}" for name in names)
        yield from _step("After a correction of the query:", f"{commands.resync} {options}")
    if "settings" in kinds or "destination" in kinds:
        yield from _step(
            "After a correction of the settings or at the destination:", commands.replay
        )


def _step(when: str, command: str) -> Iterator[Text]:
    yield Text(when)
    yield Text(f"  {command}", "cyan")


def _closing_sentence(summary: Summary, commands: Commands, seconds: float) -> str:
    active = [sync for sync in summary.syncs.values() if not sync.is_idle]
    failed = sum(sync.has_failed for sync in active)
    interrupted = sum(_is(sync, SyncOutcome.INTERRUPTED) for sync in active)
    delivered, rejected = summary.count("delivered"), summary.count("rejected")
    if not active:
        return f"Nothing to do: {_none_due(len(summary.syncs))}."
    senders = sum(1 for sync in active if sync.count("delivered"))
    calls = f"Delivered {count_of(delivered, 'call')} of {count_of(senders, 'sync')}"
    if not delivered:
        calls = "No call was delivered" if failed or rejected or interrupted else "Nothing new"
    parts = [f"{calls} in {duration_of(seconds)}" if delivered else calls]
    if kept := sum(sync.count("rejected") for sync in active if not sync.has_failed):
        where = f", see {commands.rejected}" if commands.rejected else ""
        parts.append(f"{kept:,} rejected{where}")
    if failed:
        parts.append(f"{count_of(failed, 'sync')} failed")
    if again := summary.retried.counts.total():
        accepted = summary.retried.counts["delivered"]
        parts.append(f"{count_of(again, 'rejected call')} sent again, {accepted:,} accepted")
    if interrupted:
        parts.append(f"{count_of(interrupted, 'sync')} interrupted")
    if locked := sum(_is(sync, SyncOutcome.LOCKED) for sync in active):
        parts.append(f"{count_of(locked, 'sync')} skipped, as another run has not ended")
    return "; ".join(parts) + "."


def _is(sync: SyncSummary, outcome: SyncOutcome) -> bool:
    return sync.result is not None and sync.result.outcome == outcome


def _none_due(count: int) -> str:
    if not count:
        return "no sync is enabled"
    return "the sync is not due yet" if count == 1 else f"none of the {count} syncs is due yet"
