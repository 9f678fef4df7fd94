"""Histories of writes and polls: a model database that the tap's own pure code reads. Pure.

A row is timestamped first and committed later; a poll sees the rows that are committed and satisfy
its query. Times are seconds by the server's clock.
"""

from __future__ import annotations

import functools
import random
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tap_mssql_query.settings.model import SyncSettings, parse_settings
from tap_mssql_query.sync.query import render_sync
from tap_mssql_query.sync.run_options import RunOptions
from tap_mssql_query.sync.window import find_window
from tests.reliability.oracle import Verdict
from tests.reliability.registry import Soak, SoakRow, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tap_mssql_query.sql.template import SyncTimes

    Observer = Callable[[int, SyncTimes, list[int]], None]

KINDS: Mapping[str, Callable[[float], float]] = {
    "datetime": lambda seconds: round(seconds * 300) / 300,
    "datetime2": lambda seconds: round(seconds, 6),
    "datetime2(0)": round,
    "unix seconds": int,
}
"""Column type → how it rounds the timestamp of a row."""
CLOCK_CHANGES = {
    "Europe/Berlin": ((2026, 3, 29, 1), (2026, 10, 25, 1)),
    "America/New_York": ((2026, 3, 8, 7), (2026, 11, 1, 6)),
    "Australia/Lord_Howe": ((2026, 4, 4, 15), (2026, 10, 3, 15)),
}
"""Time zone → the hours, in UTC, at which its clocks change."""
HOUR = 3600
FULL_COUNT = 20_000
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Rules:
    """The conditions of a history; with the defaults no row may be missed.

    Attributes:
        late_seconds: how much longer than `lookback_seconds` a commit may take.
        includes_equal: whether the query compares with `>=` instead of `>`.
        clock_error: the error of the clock that sets the bookmark; the server's clock has none.
        covers_overlap: whether a query in local time begins before the hour that comes twice.
    """

    late_seconds: int = 0
    includes_equal: bool = True
    clock_error: int = 0
    covers_overlap: bool = True


PROMISED = Rules()


@dataclass(slots=True)
class Counts:
    """The counts over some histories."""

    histories: int = 0
    rows: int = 0
    polls: int = 0
    seen_twice: int = 0
    missed: int = 0


@dataclass(frozen=True, slots=True)
class _Row:
    stamp: float
    commit: float


def run_histories(
    count: int,
    seed: int | str,
    rules: Rules = PROMISED,
    observe: Observer = lambda _history, _times, _rows: None,
) -> Counts:
    """Generate and check `count` histories; the same ones for the same seed.

    `observe` gets the number of the history, the times of each poll and the rows that it reads.
    """
    counts = Counts()
    for number in range(count):
        _run_history(
            random.Random(f"{seed} {number}"), rules, counts, functools.partial(observe, number)
        )
    return counts


def _run_history(
    rng: random.Random,
    rules: Rules,
    counts: Counts,
    observe: Callable[[SyncTimes, list[int]], None],
) -> None:
    zone = rng.choice((None, *CLOCK_CHANGES))
    start = _begin(rng, zone)
    lookback = rng.choice((0, 2, 30, 600))
    rows = [_write(rng, start, lookback + rules.late_seconds) for _ in range(30)]
    kind = rng.choice(list(KINDS))
    stamps = [_stored(KINDS[kind](row.stamp), zone) for row in rows]
    sync = _sync(lookback, zone, rng)
    seen = _poll(rng, rows, stamps, sync, rules, start, counts, observe)
    counts.histories += 1
    counts.rows += len(rows)
    counts.missed += seen.count(0)
    counts.seen_twice += sum(times > 1 for times in seen)


def _begin(rng: random.Random, zone: str | None) -> float:
    """A time shortly before the clocks change."""
    change = rng.choice(CLOCK_CHANGES[zone or "Europe/Berlin"])
    return datetime(*change, tzinfo=UTC).timestamp() - 1.5 * HOUR


def _write(rng: random.Random, start: float, longest: int) -> _Row:
    """A row; half of them have a timestamp close to a whole second, the edge of a window."""
    stamp = start + rng.uniform(0, 3 * HOUR)
    if rng.random() < 0.5:
        stamp = int(stamp) + rng.choice((0, 0.001, 0.0017, 0.003, 0.007, 0.997, 0.999))
    return _Row(stamp, stamp + rng.choice((0, rng.uniform(0, longest), longest)))


def _stored(stamp: float, zone: str | None) -> float:
    """A timestamp as a query sees it: what a clock on the wall shows."""
    return datetime.fromtimestamp(stamp, ZoneInfo(zone or "UTC")).replace(tzinfo=UTC).timestamp()


def _sync(lookback: int, zone: str | None, rng: random.Random) -> SyncSettings:
    variables = ["last_sync_datetime"] if zone else ["last_sync_time", " last_sync_datetime "]
    return _parse_sync(rng.choice(variables), zone, lookback, rng.choice((None, "1m", "10m")))


@functools.cache
def _parse_sync(
    variable: str, zone: str | None, lookback: int, frequency: str | None
) -> SyncSettings:
    """One of some dozens, parsed once: it took a third of the time of all histories."""
    sync: dict[str, Any] = {
        "name": "users",
        "type": "identify",
        "query": f"SELECT {{{{{variable}}}}} AS s",
        "timezone": zone or "UTC",
        "lookback_seconds": lookback,
        **({"frequency": frequency} if frequency else {}),
    }
    login = {"host": "h", "database": "d", "username": "u", "password": "p"}
    return parse_settings({**login, "syncs": [sync]}).syncs[0]


def _poll(
    rng: random.Random,
    rows: list[_Row],
    stamps: list[float],
    sync: SyncSettings,
    rules: Rules,
    start: float,
    counts: Counts,
    observe: Callable[[SyncTimes, list[int]], None],
) -> list[int]:
    """How many polls read each row; polls come at random times, and some fail."""
    seen, state = [0] * len(rows), dict[str, Any]()
    edges = [row.stamp + rng.uniform(-1, 1) for row in rng.sample(rows, 10)]
    times_of_polls = sorted([start + rng.uniform(0, 4 * HOUR) for _ in range(10)] + edges)
    for poll_time in [*times_of_polls, start + 6 * HOUR]:
        now = int(poll_time) + rules.clock_error
        times = find_window(sync, RunOptions(), state, now=now)
        if times is None:
            continue
        counts.polls += 1
        since = _since(render_sync(sync, times))
        if not rules.covers_overlap:
            since = _stored(times.last_sync_time, sync.timezone)
        snapshot = poll_time + rng.uniform(0, 0.5)
        if rng.random() < 0.1 and poll_time != start + 6 * HOUR:
            continue  # the run fails: rows may have been sent, the bookmark stays
        read = [
            index
            for index, row in enumerate(rows)
            if row.commit <= snapshot
            and (stamps[index] > since or (rules.includes_equal and stamps[index] == since))
        ]
        for index in read:
            seen[index] += 1
        observe(times, read)
        state = {"bookmarks": {"users": {"last_sync_time": times.sync_time}}}
    return seen


def _since(sql: str) -> float:
    """The last sync time in the rendered query."""
    if literal := re.search(r"CAST\('([^']+)' AS datetime2", sql):
        return datetime.fromisoformat(literal[1]).replace(tzinfo=UTC).timestamp()
    return float(sql.split()[1])


def soak(soak: Soak) -> Iterable[SoakRow]:
    """Histories under the promised conditions; a row that no poll reads is missing."""
    tally, count = Tally("time histories"), soak.count(FULL_COUNT)
    for start in range(0, count, _AT_ONCE):
        seed = f"{soak.seed} {start}"
        counts = run_histories(min(_AT_ONCE, count - start), seed)
        verdict = Verdict(missing=counts.missed, repeats=counts.seen_twice)
        tally.add(cases=counts.histories, faults=counts.histories, verdict=verdict)
        soak.show_progress(f"{tally.scenario}: {tally.cases}")
        if counts.missed:
            soak.report(f"{counts.missed} rows are missed in histories of seed {seed!r}")
    yield tally.row()
