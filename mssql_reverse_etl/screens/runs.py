"""The screens of `mssql-reverse-etl runs`: of all syncs, and of one. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.text import Text

from mssql_reverse_etl.screens.local_time import local_time
from mssql_reverse_etl.screens.output import (
    NOTHING,
    Part,
    add_row,
    count_cell,
    line,
    outcome_cell,
    plain_table,
    rejected_cell,
)
from program_kit.humane import duration_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import tzinfo

    from rich.console import JustifyMethod
    from rich.table import Table

    Row = Mapping[str, Any]

_NAMED_RUNS = 3
"""The newest ones with a message; of the others their number is said."""
_RUNS: Mapping[str, JustifyMethod] = {
    "run": "right", "started": "left", "time": "right", "exit": "right", "trigger": "left",
    "syncs": "left",
}  # fmt: skip
_OF_SYNC: Mapping[str, JustifyMethod] = {
    "run": "right", "started": "left", "outcome": "left", "rows": "right", "delivered": "right",
    "rejected": "right", "time": "right",
}  # fmt: skip


def runs_screen(
    runs: Sequence[Row],
    outcomes_of: Callable[[int], Mapping[str, int]],
    zone: tzinfo | None = None,
) -> Iterator[Part]:
    """The runs, the newest first; `outcomes_of` says how many syncs had each outcome."""
    table = plain_table(_RUNS)
    for run in runs:
        add_row(
            table,
            *(str(run["run_id"]), local_time(run["started_at"], zone), _time_of(run)),
            *(_exit_of(run), run["trigger"], _outcomes_text(outcomes_of(run["run_id"]))),
        )
    yield from _with_messages(table, runs)


def sync_runs_screen(runs: Sequence[Row], zone: tzinfo | None = None) -> Iterator[Part]:
    """The runs of one sync, the newest first."""
    table = plain_table(_OF_SYNC)
    for run in runs:
        add_row(
            table,
            *(str(run["run_id"]), local_time(run["started_at"], zone)),
            outcome_cell(run["outcome"]),
            *(count_cell(run["rows_read"]), count_cell(run["delivered"])),
            *(rejected_cell(run["rejected"]), duration_of(run["seconds"])),
        )
    yield from _with_messages(table, runs)


def _with_messages(table: Table, runs: Sequence[Row]) -> Iterator[Part]:
    """The table, and below it what the runs say, each text once."""
    yield table
    said: dict[str, list[str]] = {}
    for run in runs:
        for text in run["message"].splitlines():
            said.setdefault(text, []).append(str(run["run_id"]))
    if said:
        yield line("")
    for text, numbers in said.items():
        more = len(numbers) - _NAMED_RUNS
        rest = f" and {more} more" if more > 0 else ""
        yield line(f"{', '.join(numbers[:_NAMED_RUNS])}{rest}: {text}")


def _exit_of(run: Row) -> Text:
    code = run["exit_code"]
    return NOTHING if code is None else Text(str(code), "red" if code else "green")


def _outcomes_text(outcomes: Mapping[str, int]) -> Text:
    """How many syncs had each outcome: "2 delivered, 1 failed"."""
    parts = [
        Text.assemble(f"{count} ", outcome_cell(outcome)) for outcome, count in outcomes.items()
    ]
    return Text(", ").join(parts) if parts else NOTHING


def _time_of(run: Row) -> str | Text:
    if run["ended_at"] is None:
        return NOTHING
    ended, started = map(datetime.fromisoformat, (run["ended_at"], run["started_at"]))
    return duration_of((ended - started).total_seconds())
