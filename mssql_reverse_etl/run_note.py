"""What a run with `--limit`, `--since` or `--until` leaves as it was, in a sentence. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from program_kit.humane import count_of

if TYPE_CHECKING:
    from tap_mssql_query.sync.run_options import RunOptions


def describe_options(options: RunOptions, *, has_run: bool) -> str:
    """The sentence; empty if bookmarks move. `has_run` is false for a plan."""
    moved = "moved" if has_run else "would move"
    if options.limit is not None:
        read = "at most were read" if has_run else "at most"
        again = "" if options.is_backfill else ": the next run reads these rows again"
        rows = count_of(options.limit, "row")
        return f"With --limit, {rows} of each sync {read}, and no bookmark {moved}{again}."
    if options.is_backfill:
        return f"With --since or --until, no bookmark {moved}."
    return ""
