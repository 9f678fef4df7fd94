"""The screens of `mssql-reverse-etl runs`: of all syncs, and of one. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.screens.local_time import NOTHING, local_time
from mssql_reverse_etl.screens.output import Part, add_row, line, plain_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import tzinfo

    from rich.console import JustifyMethod
    from rich.table import Table

    Row = Mapping[str, Any]

_NAMED_RUNS = 3
"""The newest ones with a message; of the others their number is said."""
_COUNTS = {"rows": "rows_read", "delivered": "delivered", "rejected": "rejected"}
_RUNS: Mapping[str, JustifyMethod] = {
    "run": "right", "started": "left", "seconds": "right", "exit": "right", "trigger": "left",
    "syncs": "left",
}  # fmt: skip
_OF_SYNC: Mapping[str, JustifyMethod] = {
    "run": "right", "started": "left", "outcome": "left", **dict.fromkeys(_COUNTS, "right"),
    "seconds": "right",
}  # fmt: skip


def runs_screen(
    runs: Sequence[Row],
    outcomes_of: Callable[[int], Mapping[str, int]],
    zone: tzinfo | None = None,
) -> Iterator[Part]:
    """The runs, the newest first; `outcomes_of` says how many syncs had each outcome."""
    table = plain_table(_RUNS)
    for run in runs:
        outcomes = [f"{count} {outcome}" for outcome, count in outcomes_of(run["run_id"]).items()]
        code = NOTHING if run["exit_code"] is None else str(run["exit_code"])
        add_row(
            table,
            *(str(run["run_id"]), local_time(run["started_at"], zone), _seconds_of(run), code),
            *(run["trigger"], ", ".join(outcomes) or NOTHING),
        )
    yield from _with_messages(table, runs)


def sync_runs_screen(runs: Sequence[Row], zone: tzinfo | None = None) -> Iterator[Part]:
    """The runs of one sync, the newest first."""
    table = plain_table(_OF_SYNC)
    for run in runs:
        counts = [f"{run[column]:,}" for column in _COUNTS.values()]
        started = local_time(run["started_at"], zone)
        seconds = f"{run['seconds']:.1f}"
        add_row(table, str(run["run_id"]), started, run["outcome"], *counts, seconds)
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


def _seconds_of(run: Row) -> str:
    if run["ended_at"] is None:
        return NOTHING
    ended, started = map(datetime.fromisoformat, (run["ended_at"], run["started_at"]))
    return f"{(ended - started).total_seconds():.1f}"
