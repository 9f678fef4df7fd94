"""The lines under the tables of a run and of a plan: what failed, and what was rejected. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from mssql_reverse_etl.screens.output import outcome_cell
from program_kit.console import cell
from program_kit.humane import count_of, list_of

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator

_MAX_REASONS = 5


def describe_messages(messages: Iterable[tuple[str, str, str]]) -> Iterator[Text]:
    """A line for each outcome and message, with the syncs; given as sync, outcome, message."""
    syncs: dict[tuple[str, str], dict[str, None]] = {}
    for sync, outcome, message in messages:
        syncs.setdefault((outcome, message), {})[sync] = None
    for (outcome, message), names in syncs.items():
        yield Text.assemble(f"{list_of(list(names))}: ", outcome_cell(outcome), ": ", cell(message))


def describe_rejections(sync: str, destination: str, reasons: Counter[str]) -> Iterator[Text]:
    """The most frequent reasons; the destination is empty if there is but one."""
    where = cell(f"{sync} to {destination}" if destination else sync)
    for reason, count in reasons.most_common(_MAX_REASONS):
        yield Text.assemble(where, ": ", (f"{count:,} rejected", "yellow"), ": ", cell(reason))
    if (more := len(reasons) - _MAX_REASONS) > 0:
        yield Text.assemble(where, f": and {count_of(more, 'other reason')}")
