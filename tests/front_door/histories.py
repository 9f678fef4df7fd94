"""Histories with known runs, for the tests of the commands that show them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.history.run_record import RunRecord
from mssql_reverse_etl.results.outcomes import SyncResult

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rich.console import RenderableType

NOW = datetime(2026, 11, 27, 19, 27, 20, 123_000, UTC)


def text_at(columns: int, parts: Any) -> str:
    """A screen as a terminal of this width shows it, without blanks at the ends of lines."""
    import io

    from rich.console import Console

    console = Console(file=io.StringIO(), width=columns, color_system=None, force_terminal=True)
    part: RenderableType
    for part in parts:
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert all(len(line) <= columns for line in lines)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def write_run(
    path: Path,
    results: Mapping[str, Any],
    *,
    ago: timedelta = timedelta(),
    rows: int = 0,
    code: int = 0,
    message: str = "",
) -> None:
    """Write a run that took 2.5 seconds, in which each sync read and delivered these rows."""
    times = iter([NOW - ago, *[NOW - ago + timedelta(seconds=2.5)] * 3])
    record = RunRecord(path, now=lambda: next(times))
    record.begin()
    record.name_syncs(dict.fromkeys(results, "identify"))
    entry = {"rows": rows, "seconds": 1.25, "last_sync_time": 0, "sync_time": 1795807640}
    stream = {"delivered": rows, "requests": 1, "sent_bytes": 100 * rows}
    record.add(
        {"syncs": dict.fromkeys(results, entry)}, {"streams": dict.fromkeys(results, stream)}
    )
    for name, result in results.items():
        record.set_result(name, result if isinstance(result, SyncResult) else SyncResult(result))
    record.end(code, message)
