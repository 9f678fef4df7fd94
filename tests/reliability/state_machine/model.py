"""The model: rows, the queries that read them, and what one run of the target was sent."""

from __future__ import annotations

import json
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(eq=False)
class Window:
    """The rows of one query of a stream; each run sends all of them until a STATE covers them."""

    stream: str
    number: int
    call_type: str
    rows: list[Row] = field(default_factory=list)

    @property
    def is_of_events(self) -> bool:
        """Whether equal rows are separate events."""
        return self.call_type != "identify"

    def schema(self, columns: Sequence[str]) -> dict[str, Any]:
        """Its SCHEMA, which describes only some of the columns."""
        properties = {name: {"type": ["string", "null"]} for name in columns}
        times = {"x-last-sync-time": self.number, "x-sync-time": self.number + 1}
        keywords = {"x-call-type": self.call_type, **times}
        schema = {"type": "object", "properties": properties, **keywords}
        return {"type": "SCHEMA", "stream": self.stream, "schema": schema, "key_properties": []}


@dataclass(eq=False)
class Row:
    """A row; another row may have the same values.

    Attributes:
        number: stands for its values; equal rows have the same number.
        place: its place among all rows.
        key: its ordering key.
        message_id: the messageId of its call, once it was sent.
        body: the bytes of its call.
        is_delivered: the destination has the call.
        was_rejected: the destination rejected the call when it came alone.
        is_dead_letter: it is a dead letter, and on the disk.
    """

    window: Window
    number: int
    place: int
    key: str
    note: str
    message_id: str | None = None
    body: bytes = b""
    is_delivered: bool = False
    was_rejected: bool = False
    is_dead_letter: bool = False

    @property
    def is_filtered(self) -> bool:
        """Whether its call type filters it out."""
        return self.window.call_type == "sighting" and self.note == "hidden"

    @property
    def is_call(self) -> bool:
        """Whether it becomes a call."""
        return self.note != "invalid" and not self.is_filtered

    @property
    def is_settled(self) -> bool:
        """Whether a STATE may cover it."""
        return self.is_delivered or self.is_dead_letter or self.is_filtered

    def message(self) -> dict[str, Any]:
        """Its RECORD."""
        columns: dict[str, Any] = {"userId": self.key, "n": self.number, "note": self.note}
        if self.window.is_of_events:
            columns["event"] = "Seen"
        if self.note == "invalid":
            columns["userId"] = None
        return {"type": "RECORD", "stream": self.window.stream, "record": columns}

    def call(self) -> dict[str, Any]:
        """The call that it must become, without the messageId."""
        inner = {"n": self.number, "note": self.note}
        if self.window.is_of_events:
            return {"type": "track", "userId": self.key, "event": "Seen", "properties": inner}
        return {"type": "identify", "userId": self.key, "traits": inner}


class RunModel:
    """What one run was sent, and what it has settled.

    Attributes:
        bookmarks: stream → how many of its windows are complete, as a STATE would say now.
        open: stream → the window that is being sent.
        rows: all rows, in order.
        unsettled: ordering key → rows whose calls are not settled, in order.
        states: STATEs, each with the number of rows before it.
        printed: how many of the STATEs were printed, or replaced by a newer one that was.
        counts: settled calls, by outcome.
        has_ended: the input has ended.
        is_interrupted: the process got a signal.
        has_failures: a request failed and may be retried.
        is_stopped: a request was unauthorized.
        is_quiet: the process must send nothing new.
    """

    def __init__(self, bookmarks: dict[str, int]) -> None:
        self.bookmarks = dict(bookmarks)
        self.open: dict[str, Window] = {}
        self.rows: list[Row] = []
        self.unsettled: defaultdict[str, deque[Row]] = defaultdict(deque)
        self.states: list[tuple[dict[str, Any], int]] = []
        self.printed = 0
        self.counts: Counter[str] = Counter()
        self.has_ended = self.is_interrupted = self.has_failures = False
        self.is_stopped = self.is_quiet = False

    def add(self, row: Row) -> bytes:
        """Send a row: its line."""
        self.rows.append(row)
        if row.is_call:
            self.unsettled[row.key].append(row)
        return to_line(row.message())

    def add_state(self) -> bytes:
        """Send a STATE: its line. `mark` distinguishes it from all others."""
        bookmarks = {name: {"last_sync_time": done} for name, done in self.bookmarks.items()}
        value = {"bookmarks": bookmarks, "mark": len(self.states)}
        self.states.append((value, len(self.rows)))
        return to_line({"type": "STATE", "value": value})


def to_line(message: dict[str, Any]) -> bytes:
    """A Singer message as a line of the input."""
    return json.dumps(message).encode() + b"\n"
