"""The options of one run: syncs to repeat, a window to backfill, a limit, a partition. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from program_kit.timestamps import MAX_UNIX_SECONDS, parse_iso_timestamp
from tap_mssql_query.sql.template import find_variables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_mssql_query.settings.model import SyncSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How this run differs from an ordinary one.

    Attributes:
        resync: names of syncs that run as if for the first time.
        since: start of a backfill, unix seconds; None if `until` alone, or neither, is set.
        until: unix seconds at which it ends; None: now.
        locked: the only syncs to run, if any are named; the caller holds their locks.
        partition: the only partition to read of the one sync in `locked`, counted from 0.
        start_now: names of syncs whose bookmark moves to now; no row of them is read.
        limit: the most rows to read of each sync, without moving bookmarks; None: all.
    """

    resync: Sequence[str] = ()
    since: int | None = None
    until: int | None = None
    locked: Sequence[str] = ()
    partition: int | None = None
    start_now: Sequence[str] = ()
    limit: int | None = None

    @property
    def is_backfill(self) -> bool:
        """Whether a window is read without moving bookmarks."""
        return self.since is not None or self.until is not None

    @property
    def moves_bookmarks(self) -> bool:
        """Whether the bookmark of a sync moves once all its rows are read."""
        return not self.is_backfill and self.limit is None


def parse_timestamp(text: str) -> int:
    """Unix seconds, given as such or as ISO 8601, in UTC without an offset. Raises ValueError."""
    is_number = text.isascii() and text.isdigit()
    seconds = int(text) if is_number else parse_iso_timestamp(text)
    if not 0 <= seconds <= MAX_UNIX_SECONDS:
        raise ValueError("not between the years 1970 and 9999")
    return seconds


def find_problems(options: RunOptions, syncs: Sequence[SyncSettings]) -> Iterator[str]:
    """Problems of the options, a sentence each."""
    names = [sync.name for sync in syncs]
    for option, wanted in (
        ("--resync", options.resync),
        ("--locked", options.locked),
        ("--start-now", options.start_now),
    ):
        for name in wanted:
            if name not in names:
                yield f'{option}: there is no sync "{name}". Known syncs: {", ".join(names)}.'
    if options.since is not None and options.until is not None and options.since > options.until:
        yield "--since is later than --until."
    if options.partition is not None:
        yield from _find_partition_problems(options)
    yield from _find_start_problems(options, syncs)
    for option, timestamp, variables in (
        ("--since", options.since, {"last_sync_time", "last_sync_datetime"}),
        ("--until", options.until, {"sync_time", "sync_datetime"}),
    ):
        if timestamp is None:
            continue
        for sync in syncs:
            is_run = sync.enabled and (not options.locked or sync.name in options.locked)
            if is_run and not variables & set(find_variables(sync.query)):
                wanted = " or ".join(f"{{{{{name}}}}}" for name in sorted(variables))
                yield f'{option}: the query of sync "{sync.name}" has no {wanted}.'


def _find_start_problems(options: RunOptions, syncs: Sequence[SyncSettings]) -> Iterator[str]:
    if options.start_now and (not options.moves_bookmarks or options.partition is not None):
        yield (
            "--start-now cannot be combined with --since, --until, --limit or --partition: it "
            "moves a bookmark, and they do not."
        )
    for sync in syncs:
        if sync.name in options.start_now and sync.name in options.resync:
            yield f'--start-now and --resync: choose one of them for sync "{sync.name}".'
        for option, names in (("--start-now", options.start_now), ("--resync", options.resync)):
            if sync.name in names and not sync.enabled:
                yield f'{option}: sync "{sync.name}" is disabled; set `enabled` to true first.'


def _find_partition_problems(options: RunOptions) -> Iterator[str]:
    if len(options.locked) != 1:
        yield "--partition needs exactly one --locked NAME: the sync that the partition belongs to."
    if options.resync or options.is_backfill:
        yield (
            "--partition cannot be combined with --resync, --since or --until: it reads a part of "
            "the unfinished run in the state."
        )
    if options.limit is not None:
        yield "--partition cannot be combined with --limit: it reads its partition whole."
