"""Rows with known keys: the contents of the database, and the outcome that each row must have."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

from sandbox.sql_server.engine import DuckDBEngine

DATABASE = "proof"
READER = "reader"
PASSWORD = "Sandbox-1"
REJECTED_TEXT = "reject-me"
"""A collector with the behaviour `REJECTING` rejects each request that contains this."""
START = 1_800_000_000
PEOPLE_OF_EVENTS = 12

Fate = Literal["delivered", "rejected", "filtered"]

_TABLES = """
CREATE TABLE people (id int, email nvarchar(80), row_key nvarchar(20), changed bigint)
CREATE TABLE moods (id nvarchar(20), mood nvarchar(20), changed bigint)
CREATE TABLE events (place int, person int, name nvarchar(40), row_key nvarchar(20),
    amount decimal(9,2), note nvarchar(400), changed bigint)
CREATE TABLE visits (place int, person int, row_key nvarchar(20), is_hidden bit, changed bigint)
"""
_SINCE = "WHERE changed >= {{last_sync_time}} ORDER BY"
SYNCS: tuple[dict[str, Any], ...] = (
    {
        "name": "events",
        "type": "track",
        "key_columns": ["row_key"],
        "query": "SELECT person AS userId, name AS event, row_key, amount, note "
        f"FROM events {_SINCE} place",
    },
    {
        "name": "people",
        "type": "identify",
        "key_columns": ["userId"],
        "query": f"SELECT id AS userId, email, row_key FROM people {_SINCE} id",
    },
    {
        "name": "moods",
        "type": "identify",
        "query": f"SELECT id AS userId, mood FROM moods {_SINCE} id",
    },
    {
        "name": "visits",
        "type": "visit",
        "query": "SELECT person AS userId, N'Visit' AS event, row_key, is_hidden "
        f"FROM visits {_SINCE} place",
    },
)
"""Events come first: the first STATE covers rejected rows, however slow the tap is."""


@dataclass(slots=True, eq=False)
class Row:
    """One row, or one version of it.

    Attributes:
        sync: the sync that reads it.
        key: identifies it; calls and records carry it as `row_key`, except those of moods.
        person: the userId of its call.
        place: its place among the rows of its sync and person.
        changed: the time of its change, by the server's clock.
        fate: the outcome that it must have.
        body: the call that it must become, without the messageId.
        superseded_at: the time at which another version replaced it.
        is_required: whether it must be settled; not if it was superseded before a successful run
            could have read it.
    """

    sync: str
    key: str
    person: str
    place: int
    changed: int
    fate: Fate
    body: dict[str, Any]
    superseded_at: int | None = None
    is_required: bool = True

    def is_current(self, now: int) -> bool:
        """Whether it is in the database at a time."""
        return self.changed <= now and (self.superseded_at is None or self.superseded_at > now)


class Ledger:
    """A database in the sandbox's engine, and all rows that were ever in it.

    Attributes:
        engine: the database, for the sandbox's SQL Server.
        rows: all rows so far, in the order of their changes.
        now: the server's clock, in unix seconds.
    """

    def __init__(self, seed: int) -> None:
        self.now = START
        self.engine = DuckDBEngine(clock=lambda: datetime.fromtimestamp(self.now, UTC))
        self.engine.create_database(DATABASE)
        self.engine.add_login(READER, PASSWORD, role="reader")
        for statement in _TABLES.strip().split("\nCREATE"):
            self.engine.run(DATABASE, f"CREATE {statement.removeprefix('CREATE')}")
        self.rows: list[Row] = []
        self._rng = random.Random(seed)
        self._places = itertools.count(1)
        self._clean_at = 0

    # Changes

    def fill(self, size: int) -> None:
        """Insert the first rows: `size` events, and people, moods and visits in proportion."""
        self._tick()
        for person in range(1, max(size // 3, 2) + 1):
            self._set_person(person)
        for number in range(3):
            self._set_mood(f"m{number}", "happy")
        self.add_events(size)
        for _ in range(max(size // 8, 2)):
            self._add_visit()
        self._tick()

    def change(self, events: int = 5, people: int = 3) -> None:
        """Insert more events and visits, and change some people."""
        self._tick()
        self.add_events(events)
        self._add_visit()
        current = [row for row in self.rows if row.sync == "people" and not row.superseded_at]
        for row in self._rng.sample(current, min(people, len(current))):
            self._set_person(int(row.person))
        self._tick()

    def flip_moods(self) -> None:
        """Change each mood back to its previous value; only after a successful run."""
        self._tick()
        for row in [row for row in self.rows if row.sync == "moods" and not row.superseded_at]:
            mood = "sad" if row.body["traits"]["mood"] == "happy" else "happy"
            self._set_mood(row.person, mood)
        self._tick()

    def note_clean_run(self) -> None:
        """From now on all rows so far are required."""
        self._clean_at = self.now
        self._tick()

    def add_events(self, count: int) -> None:
        """Insert events; some cannot become calls, and some must be rejected by the collector."""
        kinds = self._rng.choices(["good", "nameless", "rejected"], [90, 5, 5], k=count)
        nameless, rejected = self._rng.sample(range(count), 2)
        kinds[nameless], kinds[rejected] = "nameless", "rejected"
        self.engine.load(DATABASE, "events", [self._new_event(kind) for kind in kinds])

    def _new_event(self, kind: str) -> tuple[Any, ...]:
        place, person = next(self._places), self._rng.randint(1, PEOPLE_OF_EVENTS)
        key, cents = f"e-{place}", self._rng.randint(0, 999_999)
        name = None if kind == "nameless" else "Bought Ω"
        note = REJECTED_TEXT if kind == "rejected" else "n" * self._rng.randint(0, 200)
        amount = Decimal(cents) / 100
        properties = {"row_key": key, "amount": amount, "note": note}
        body = {"type": "track", "userId": str(person), "event": name, "properties": properties}
        fate: Fate = "delivered" if kind == "good" else "rejected"
        self._add_row("events", key, str(person), place, fate, body)
        return (place, person, name, key, amount, note, self.now)

    def _set_person(self, number: int) -> None:
        place = next(self._places)
        key, email = f"p-{place}", f"person{number}.{place}@example.com"
        self._supersede("people", str(number))
        traits = {"email": email, "row_key": key}
        body = {"type": "identify", "userId": str(number), "traits": traits}
        self._add_row("people", key, str(number), place, "delivered", body)
        self._replace_row("people", f"id = {number}", (number, email, key, self.now))

    def _set_mood(self, person: str, mood: str) -> None:
        place = next(self._places)
        self._supersede("moods", person)
        body = {"type": "identify", "userId": person, "traits": {"mood": mood}}
        self._add_row("moods", f"m-{place}", person, place, "delivered", body)
        self._replace_row("moods", f"id = N'{person}'", (person, mood, self.now))

    def _add_visit(self) -> None:
        place, person = next(self._places), self._rng.randint(1, PEOPLE_OF_EVENTS)
        key, is_hidden = f"v-{place}", self._rng.random() < 0.3
        properties = {"row_key": key, "is_hidden": is_hidden}
        body = {"type": "track", "userId": str(person), "event": "Visit", "properties": properties}
        fate: Fate = "filtered" if is_hidden else "delivered"
        self._add_row("visits", key, str(person), place, fate, body)
        self.engine.load(DATABASE, "visits", [(place, person, key, is_hidden, self.now)])

    # Versions of rows

    def _tick(self) -> None:
        self.now += 10  # nothing changes in the second in which a query starts

    def _add_row(self, sync: str, key: str, person: str, place: int, fate: Fate, body: Any) -> None:
        self.rows.append(Row(sync, key, person, place, self.now, fate, body))

    def _supersede(self, sync: str, person: str) -> None:
        for row in self.rows:
            if (row.sync, row.person, row.superseded_at) == (sync, person, None):
                row.superseded_at = self.now
                row.is_required = row.changed <= self._clean_at

    def _replace_row(self, table: str, where: str, values: tuple[Any, ...]) -> None:
        self.engine.run(DATABASE, f"DELETE FROM {table} WHERE {where}")
        self.engine.load(DATABASE, table, [values])
