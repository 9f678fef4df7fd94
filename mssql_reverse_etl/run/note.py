"""What a run with `--limit`, `--since` or `--until` leaves as it was, in a sentence. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_mssql_query.sync.run_options import RunOptions


def describe_options(options: RunOptions, *, has_run: bool) -> str:
    """The sentence; empty if bookmarks move. `has_run` is false for a plan."""
    if options.moves_bookmarks:
        return ""
    moved = "No bookmark moved" if has_run else "No bookmark would move"
    if options.is_backfill:
        return f"{moved}."
    if options.resync:
        return f"{moved}."
    return f"{moved}: after --limit, the next run reads the same rows again."
