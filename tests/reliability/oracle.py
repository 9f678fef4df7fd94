"""The oracle: observations of some runs of the pipe → how often its promises were broken. Pure.

The destination is taken to drop a messageId that it has had, as Customer.io does: a row whose call
carries another row's id is missing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.reliability.ledger import Row


@dataclass(frozen=True, slots=True)
class SeenCall:
    """A call that a destination has committed: its body without the messageId."""

    message_id: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SeenDestination:
    """Everything one destination has, in the order of its commits; dead letters are row keys."""

    calls: Sequence[SeenCall]
    dead_letters: Sequence[str]


@dataclass(frozen=True, slots=True)
class SeenState:
    """A STATE that was printed.

    Attributes:
        bookmarks: sync → `last_sync_time`.
        at: the server's clock at that time.
        calls: how many calls each destination had committed when the STATE was printed.
        dead_letters: how many dead letters each had.
    """

    bookmarks: Mapping[str, int]
    at: int
    calls: Sequence[int]
    dead_letters: Sequence[int]


@dataclass(frozen=True, slots=True)
class SeenRun:
    """A run that ended by itself, with a report.

    Attributes:
        exit_code: of the target.
        reports: one for each destination: stream → counts.
        due: how many rows it had to read, if it succeeded.
    """

    exit_code: int
    reports: Sequence[Mapping[str, Mapping[str, Any]]]
    due: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many rows, calls or states break a promise, and how many calls were repeats.

    Attributes:
        missing: rows that are not settled although they must be.
        corrupt: calls that differ from what their row gives.
        spurious: calls and dead letters of no row, or of a row with another outcome.
        out_of_order: calls that overtook an earlier one of the same person.
        premature_states: STATEs that covered a row which was not settled when they were printed.
        repeats_with_other_ids: repeats of events that a destination cannot recognise.
        uncounted: rows that the reports do not account for.
        repeats: calls that were sent again; allowed, and proof that a fault had an effect.
    """

    missing: int = 0
    corrupt: int = 0
    spurious: int = 0
    out_of_order: int = 0
    premature_states: int = 0
    repeats_with_other_ids: int = 0
    uncounted: int = 0
    repeats: int = 0

    @property
    def violations(self) -> dict[str, int]:
        """The promises that were broken, and how often."""
        counts = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: count for name, count in counts.items() if count and name != "repeats"}

    def __add__(self, other: Verdict) -> Verdict:
        return Verdict(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def judge(
    rows: Sequence[Row],
    destinations: Sequence[SeenDestination],
    states: Iterable[SeenState],
    runs: Iterable[SeenRun],
) -> Verdict:
    """The verdict over all observations, after a run that succeeded."""
    found = [_Attribution(rows, seen) for seen in destinations]
    premature = sum(_runs_ahead(state, rows, found) for state in states)
    verdict = Verdict(premature_states=premature, uncounted=sum(map(count_uncounted, runs)))
    for attribution in found:
        verdict += attribution.verdict()
    return verdict


class _Attribution:
    """The row of each call and of each dead letter of one destination."""

    def __init__(self, rows: Sequence[Row], seen: SeenDestination) -> None:
        self._rows = rows
        self._by_key = {row.key: row for row in rows}
        self._moods = [row for row in rows if row.sync == "moods"]
        self._owners: dict[str, Row] = {}  # of messageIds
        self._ids: dict[str, str] = {}  # key of a row → its first messageId
        self._newest: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._spurious = self._corrupt = self._repeats = self._other_ids = self._disorder = 0
        self._delivered_at: dict[str, int] = {}
        self._dead_letter_at: dict[str, int] = {}
        for number, call in enumerate(seen.calls, 1):
            self._add_call(number, call)
        for number, key in enumerate(seen.dead_letters, 1):
            self._add_dead_letter(number, key)

    def verdict(self) -> Verdict:
        """The verdict over this destination's calls and dead letters."""
        return Verdict(
            missing=sum(row.is_required and not self.is_settled(row) for row in self._rows),
            corrupt=self._corrupt,
            spurious=self._spurious,
            out_of_order=self._disorder,
            repeats_with_other_ids=self._other_ids,
            repeats=self._repeats,
        )

    def is_settled(self, row: Row, calls: float = math.inf, dead_letters: float = math.inf) -> bool:
        """Whether the row has its outcome within so many calls and dead letters."""
        match row.fate:
            case "delivered":
                return row.key in self._delivered_at and self._delivered_at[row.key] <= calls
            case "rejected":
                return (
                    row.key in self._dead_letter_at
                    and self._dead_letter_at[row.key] <= dead_letters
                )
            case "filtered":
                return True

    def _add_call(self, number: int, call: SeenCall) -> None:
        row = self._row_of(call)
        if row is None or row.fate != "delivered":
            self._spurious += 1
        elif call.body != row.body:
            self._corrupt += 1
        elif self._owners.setdefault(call.message_id, row) is row:
            self._add_delivery(number, row, call.message_id)

    def _add_delivery(self, number: int, row: Row, message_id: str) -> None:
        newest = self._newest[row.sync, row.person]
        is_repeat = row.key in self._ids
        is_event = row.sync in ("events", "visits")
        # After a crash events are sent again from the first one; of people only the newest version.
        if row.place < newest and not (is_repeat and is_event):
            self._disorder += 1
        self._newest[row.sync, row.person] = max(newest, row.place)
        if is_repeat:
            self._repeats += 1
            # A fact has another id in each run: only the last one matters.
            self._other_ids += is_event and self._ids[row.key] != message_id
        else:
            self._ids[row.key] = message_id
            self._delivered_at[row.key] = number

    def _add_dead_letter(self, number: int, key: str) -> None:
        row = self._by_key.get(key)
        if row is None or row.fate != "rejected":
            self._spurious += 1
        else:
            self._dead_letter_at.setdefault(key, number)

    def _row_of(self, call: SeenCall) -> Row | None:
        """The row by its key; a mood has none: by its messageId, else the next equal one."""
        inner = call.body.get("traits") or call.body.get("properties") or {}
        if "row_key" in inner:
            return self._by_key.get(inner["row_key"])
        own = [row for row in self._moods if row.person == call.body.get("userId")]
        fitting = [row for row in own if row.body == call.body]
        owner = self._owners.get(call.message_id)
        if owner in fitting:
            return owner
        new = [row for row in fitting if row.key not in self._ids]
        return next(iter([*new, *fitting[-1:], *own]), None)


def _runs_ahead(state: SeenState, rows: Sequence[Row], found: Sequence[_Attribution]) -> bool:
    """Whether a row that the state covers was not settled everywhere when it was printed."""
    covered = [
        row
        for row in rows
        if row.is_current(state.at) and row.changed < state.bookmarks.get(row.sync, 0)
    ]
    return any(
        not attribution.is_settled(row, calls, dead_letters)
        for attribution, calls, dead_letters in zip(
            found, state.calls, state.dead_letters, strict=True
        )
        for row in covered
    )


def count_uncounted(run: SeenRun) -> int:
    """Rows that no count includes; after a successful run also rows that were due and not read."""
    uncounted = 0
    for report in run.reports:
        settled = read = 0
        for stream in report.values():
            settled += stream["delivered"] + stream["filtered"] + stream["rejected"]
            settled += stream["discarded"]
            read += stream["read"]
        if run.exit_code == 0:
            uncounted += abs(read - settled) + abs(read - (read if run.due is None else run.due))
        else:
            uncounted += max(settled - read, 0)
    return uncounted
