"""Random inputs of the target in which some streams fail, each in its own way and place. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from tests.reliability.ledger import REJECTED_TEXT

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping, Sequence

Fate = Literal["delivered", "nameless", "refused", "refused by one", "build raises", "filtered"]
"""What becomes of a row: a call, a dead letter for one of four reasons, or nothing."""
Way = Literal[
    "unknown call type",
    "broken SCHEMA",
    "no SCHEMA",
    "missing key",
    "nameless",
    "refused",
    "refused by one",
    "build raises",
]
EXIT_CODES: Mapping[Way, int] = {
    "unknown call type": 2,
    "broken SCHEMA": 4,
    "no SCHEMA": 4,
    "missing key": 4,
    "nameless": 5,
    "refused": 5,
    "refused by one": 5,
    "build raises": 5,
}
"""Way in which a stream fails → exit code. Those with 5 are rows of which too many are rejected."""
WORST_FIRST = (4, 5, 2)
REFUSED_BY_ONE_TEXT = "not-there"
"""Refused by the last destination alone; without `REJECTED_TEXT`, which all refuse."""
MIN_REJECTED = 10
"""Fewer rejected rows never fail a stream; of so few rows as here, more always do."""
SECRET = "zoë-canary"
PERSONS = 5
_FEW = 4
_TYPES = ("track", "identify", "visit")
_BROKEN: Sequence[Mapping[str, Any]] = (
    {"schema": "text"},
    {"schema": {"x-call-type": "track", "properties": []}},
    {"key_properties": "number"},
    {"key_properties": [1]},
)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a stream; `number` counts from 1."""

    stream: str
    number: int
    person: str
    fate: Fate
    padding: int

    @property
    def key(self) -> str:
        """What tells it from all rows of all streams."""
        return f"{self.stream}-{self.number}"

    @property
    def columns(self) -> dict[str, Any]:
        """The columns that become traits or properties."""
        texts = {"refused": REJECTED_TEXT, "refused by one": REFUSED_BY_ONE_TEXT}
        note = f"{SECRET} {texts.get(self.fate, '')} {'x' * self.padding}"
        return {"number": self.number, "row_key": self.key, "note": note}


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """One stream of the input.

    Attributes:
        name: of the stream.
        call_type: of its SCHEMA.
        rows: all rows, in order.
        way: how it fails; None if it does not.
        fails_after: how many rows come before the message with which it fails.
        moves_often: whether its bookmark moves with every STATE, and not only after its last row.
        is_known: whether it has a bookmark at the start.
    """

    name: str
    call_type: str
    rows: Sequence[Row]
    way: Way | None
    fails_after: int
    moves_often: bool
    is_known: bool

    def schema(self, **changes: Any) -> dict[str, Any]:
        """Its SCHEMA; `changes` replace keys of the message."""
        keywords = {"x-call-type": self.call_type, "x-last-sync-time": 0, "x-sync-time": 1_000}
        return {
            "type": "SCHEMA",
            "stream": self.name,
            "key_properties": ["number"],
            "schema": {"properties": {"number": {"type": "integer"}}, **keywords},
            **changes,
        }

    def record(self, row: Row) -> dict[str, Any]:
        """The RECORD of a row."""
        record: dict[str, Any] = {"userId": row.person, **row.columns}
        if self.call_type != "identify":
            record["event"] = None if row.fate == "nameless" else "Bought Ω"
        elif row.fate == "nameless":
            record["userId"] = None
        if self.call_type == "visit" and row.fate != "build raises":
            record["is_hidden"] = row.fate == "filtered"
        return {"type": "RECORD", "stream": self.name, "record": record}

    def body(self, row: Row) -> dict[str, Any]:
        """The call of a row, without its messageId."""
        if self.call_type == "identify":
            return {"type": "identify", "userId": row.person, "traits": row.columns}
        hidden = {"is_hidden": False} if self.call_type == "visit" else {}
        properties = {**row.columns, **hidden}
        return {
            "type": "track",
            "userId": row.person,
            "event": "Bought Ω",
            "properties": properties,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """One input: its streams, and their rows and STATEs in the order of the input."""

    streams: Mapping[str, StreamPlan]
    messages: Sequence[Mapping[str, Any]]

    @property
    def failing(self) -> set[str]:
        """The streams that must fail."""
        return {name for name, stream in self.streams.items() if stream.way}

    @property
    def exit_code(self) -> int:
        """The exit code of the run: the worst of all streams."""
        codes = {EXIT_CODES[stream.way] for stream in self.streams.values() if stream.way}
        return next((code for code in WORST_FIRST if code in codes), 0)

    def count_records(self, stream: str) -> int:
        """How many RECORDs of a stream the input has."""
        return sum((m["type"], m.get("stream")) == ("RECORD", stream) for m in self.messages)


def make_plan(rng: random.Random, destinations: int) -> Plan:
    """A random input, most of whose streams may fail."""
    ways: list[Way] = [way for way in EXIT_CODES if destinations > 1 or way != "refused by one"]
    streams = [
        _make_stream(f"s{number}", rng, rng.choice(ways) if rng.random() < 0.6 else None)
        for number in range(rng.randint(2, 6))
    ]
    chunks = [(stream.name, size) for stream in streams for size in _chunk_sizes(stream, rng)]
    if rng.random() < 0.7:  # as other taps write; ours reads one sync after the other
        rng.shuffle(chunks)
    return _write(streams, chunks, rng)


def mend(plan: Plan, bookmarks: Mapping[str, int]) -> Plan:
    """The next run's input, from these bookmarks, with the causes of all failures mended."""
    streams: dict[str, StreamPlan] = {}
    messages: list[Mapping[str, Any]] = []
    known = {name: {"last_sync_time": value} for name, value in bookmarks.items()}
    messages.append(_state(known))
    for name, stream in plan.streams.items():
        mended = _without_fault(stream)
        streams[name] = mended
        messages.append(mended.schema())
        messages += [mended.record(row) for row in mended.rows[bookmarks.get(name, 0) :]]
        known[name] = {"last_sync_time": len(mended.rows)}
        messages.append(_state(known))
    return Plan(streams, messages)


def _without_fault(stream: StreamPlan) -> StreamPlan:
    rows = []
    for row in stream.rows:
        is_mended = stream.way and row.number > stream.fails_after
        fate = "delivered" if is_mended else row.fate
        rows.append(replace(row, fate=fate))
    return replace(stream, rows=rows, way=None)


def _make_stream(name: str, rng: random.Random, way: Way | None) -> StreamPlan:
    call_type = "visit" if way == "build raises" else rng.choice(_TYPES)
    count = rng.randint(0, 40)
    fails_after = count
    few: list[Fate] = ["nameless", "refused"]
    few += ["build raises"] if call_type == "visit" else []
    fates: list[Fate] = ["delivered"] * count
    for place in rng.sample(range(count), min(_FEW, count)):
        fates[place] = rng.choice(few)
    if call_type == "visit":
        fates = ["filtered" if f == "delivered" and rng.random() < 0.2 else f for f in fates]
    if way in ("nameless", "refused", "refused by one", "build raises"):
        fates += [way] * rng.randint(MIN_REJECTED, 2 * MIN_REJECTED)
    elif way == "no SCHEMA":
        fails_after = 0
        fates.append("delivered")
    elif way:
        fails_after = rng.randint(0, count)
    rows = [
        Row(name, number, f"u{rng.randint(1, PERSONS)}", fate, rng.choice((0, 30, 1_500)))
        for number, fate in enumerate(fates, 1)
    ]
    moves_often, is_known = rng.random() < 0.5, rng.random() < 0.5
    return StreamPlan(name, call_type, rows, way, fails_after, moves_often, is_known)


def _chunk_sizes(stream: StreamPlan, rng: random.Random) -> Iterator[int]:
    left = len(stream.rows)
    while left > 0:
        size = min(rng.randint(1, 15), left)
        yield size
        left -= size


def _write(
    streams: Sequence[StreamPlan],
    chunks: Sequence[tuple[str, int]],
    rng: random.Random,
) -> Plan:
    """Write the chunks of all streams, with STATEs between them.

    No STATE is written while a stream without a bookmark is being read: it would not show whether
    the next run reads that stream's rows again.
    """
    plans = {stream.name: stream for stream in streams}
    rows: dict[str, list[Row]] = {name: [] for name in plans}
    bookmarks = {s.name: {"last_sync_time": 0} for s in streams if s.is_known}
    messages: list[Mapping[str, Any]] = [_state(bookmarks)]
    for stream in streams:
        if not stream.rows:
            messages += _begin(stream)
            messages += _fail(stream, rng) if stream.way and stream.fails_after == 0 else []
    for name, size in chunks:
        stream, written = plans[name], rows[name]
        for row in stream.rows[len(written) : len(written) + size]:
            messages += _begin(stream) if not written else []
            if stream.way and len(written) == stream.fails_after:
                messages += _fail(stream, rng)
            messages.append(stream.record(row))
            written.append(row)
        if stream.way and stream.fails_after == len(written) == len(stream.rows):
            messages += _fail(stream, rng)
        if stream.moves_often or len(written) == len(stream.rows):
            bookmarks[name] = {"last_sync_time": len(written)}
        is_clear = all(n in bookmarks or not rows[n] for n in plans)
        if is_clear and rng.random() < 0.7:
            messages.append(_state(bookmarks))
    messages.append(_state(bookmarks))
    return Plan(plans, messages)


def _begin(stream: StreamPlan) -> list[dict[str, Any]]:
    return [] if stream.way == "no SCHEMA" else [stream.schema()]


def _fail(stream: StreamPlan, rng: random.Random) -> list[dict[str, Any]]:
    """The message with which a stream fails, if it is one that its rows do not show."""
    match stream.way:
        case "unknown call type":
            schema = {"properties": {}, "x-call-type": "identfy", "x-last-sync-time": 0}
            return [stream.schema(schema=schema)]
        case "broken SCHEMA":
            return [stream.schema(**rng.choice(_BROKEN))]
        case "missing key":
            record = {"userId": "u1", "event": "Bought Ω", "note": SECRET}
            return [{"type": "RECORD", "stream": stream.name, "record": record}]
        case _:
            return []


def _state(bookmarks: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    return {"type": "STATE", "value": {"bookmarks": dict(bookmarks)}}
