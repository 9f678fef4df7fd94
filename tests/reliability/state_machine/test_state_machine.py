"""The target as a state machine: any order of messages, answers, waits, signals and restarts.

Judged after each action; in the end the destination gets well, and everything must have come out.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import random
import tempfile
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field, replace
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from target_pipelines import (
    ID,
    USER_OR_ANONYMOUS_ID,
    CallType,
    Delivered,
    DestinationType,
    EncodedCall,
    Fatal,
    Limits,
    Outcome,
    Rejected,
    Retry,
    call_schema,
    classify_response,
    object_of,
)
from target_pipelines.acknowledgements.report import RunReport
from target_pipelines.api.errors import DeliveryStopped, Interrupted
from target_pipelines.api.settings import TargetSettings
from target_pipelines.plugins.loading import Plugins, load_plugins
from target_pipelines.run.configuration import Configuration
from tests.reliability.amounts import amount
from tests.reliability.answers import NOW
from tests.reliability.guards import REMOVALS
from tests.reliability.target_model import FarEnd, LetterFile, Process, Request, Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SEED = 20_260_307
PARTS = 4  # so that all workers of pytest have something to do
CASES, ACTIONS = amount(2_000, 100_000), 100
pytestmark = pytest.mark.timeout(amount(300, 36_000))

SIGHTING = CallType(
    name="sighting",
    summary="an event, filtered out if it is hidden",
    sends_as="track",
    extra_columns="properties",
    is_event=True,
    schema=call_schema(
        {"userId": ID, "event": ID, "properties": object_of({})},
        required=["event"],
        any_of=USER_OR_ANONYMOUS_ID,
    ),
    build=lambda call: None if call["properties"]["note"] == "hidden" else call,
)
LOADED = load_plugins()
LOADED.add_call_type(SIGHTING, "tests")

STREAMS = st.sampled_from(["users", "orders", "visits"])
CALL_TYPES = st.sampled_from(["identify", "track", "sighting"])
PEOPLE, NOTES = "12345", ("fine",) * 4 + ("refused", "invalid", "hidden")
ROWS = st.lists(st.sampled_from(list(product(PEOPLE, NOTES))), min_size=1, max_size=6)
SHARES = st.sampled_from([1.0, 1.0, 1.0, 0.7, 0.0])
ENDS = st.sampled_from(["end of input", "SIGTERM", "SIGKILL", "401"])
PATIENCE = st.sampled_from([0, 10, 30, 60])
SECONDS = st.sampled_from([0.05, 0.3, 1.0, 1.0, 4.0, 20.0, 100.0, 400.0])


@dataclass(frozen=True)
class Answer:
    """What comes back for a request: an HTTP answer, or none.

    Attributes:
        status: of HTTP; 0 where there is no answer.
        has_arrived: the destination has the calls, although it does not say so.
    """

    status: int
    body: bytes = b"{}"
    retry_after: int | None = None
    has_arrived: bool = False

    @property
    def outcome(self) -> Outcome:
        """What a destination makes of it, as those for HTTP do."""
        if self.status == 0:
            return Retry("no answer (timeout)")
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return classify_response(self.status, headers, self.body, now=NOW)


TAKEN = Answer(200, b'{"success":true}')
REFUSED = Answer(400)
UNAUTHORIZED = Answer(401)
ANSWERS = {
    "taken": TAKEN,
    "400": REFUSED,
    "413": Answer(413),
    "success: false": Answer(200, b'{"success":false}'),
    "429": Answer(429),
    "429 for 7 s": Answer(429, retry_after=7),
    "429 for 90 s": Answer(429, retry_after=90),
    "500": Answer(500),
    "503 for 3 s": Answer(503, retry_after=3),
    "502, but arrived": Answer(502, has_arrived=True),
    "timeout": Answer(0),
    "timeout, but arrived": Answer(0, has_arrived=True),
    "reset": Answer(0),
    "reset, but arrived": Answer(0, has_arrived=True),
}
HOW = st.sampled_from(list(product(range(4), ["taken"] * 8 + list(ANSWERS))))


# What is sent, and what must become of it


@dataclass(eq=False)
class Window:
    """What one query of a stream gives: all of it again, until a STATE that covers it came out.

    Attributes:
        described: how many of its rows came before its last SCHEMA.
    """

    stream: str
    number: int
    call_type: str
    rows: list[Row] = field(default_factory=list)
    described: int = 0

    @property
    def is_of_events(self) -> bool:
        """Whether equal rows are several events."""
        return self.call_type != "identify"

    def schema(self, columns: Sequence[str]) -> dict[str, Any]:
        """Its SCHEMA, which describes some of the columns."""
        properties = {name: {"type": ["string", "null"]} for name in columns}
        keywords = {"x-call-type": self.call_type, "x-last-sync-time": self.number}
        schema = {"type": "object", "properties": properties, **keywords}
        return {"type": "SCHEMA", "stream": self.stream, "schema": schema, "key_properties": []}


@dataclass(eq=False)
class Row:
    """A row. Another one may hold the same.

    Attributes:
        number: what it holds; equal rows have the same.
        place: its place among all rows.
        message_id: of its call, once that has been sent.
        body: the call's bytes.
        is_delivered: the destination has it.
        was_refused: the destination did not want it, when it came alone.
        is_letter: it is a dead letter, and on the disk.
    """

    window: Window
    number: int
    place: int
    person: str
    note: str
    message_id: str | None = None
    body: bytes = b""
    is_delivered: bool = False
    was_refused: bool = False
    is_letter: bool = False

    @property
    def is_filtered(self) -> bool:
        """Whether its call type leaves it out."""
        return self.window.call_type == "sighting" and self.note == "hidden"

    @property
    def is_call(self) -> bool:
        """Whether a call can be made of it."""
        return self.note != "invalid" and not self.is_filtered

    @property
    def is_settled(self) -> bool:
        """Whether a STATE may cover it."""
        return self.is_delivered or self.is_letter or self.is_filtered

    def message(self) -> dict[str, Any]:
        """Its RECORD."""
        columns: dict[str, Any] = {"userId": self.person, "n": self.number, "note": self.note}
        if self.window.is_of_events:
            columns["event"] = "Seen"
        if self.note == "invalid":
            columns["userId"] = None
        return {"type": "RECORD", "stream": self.window.stream, "record": columns}

    def call(self) -> dict[str, Any]:
        """What its call must be, without the messageId."""
        inner = {"n": self.number, "note": self.note}
        if self.window.is_of_events:
            return {"type": "track", "userId": self.person, "event": "Seen", "properties": inner}
        return {"type": "identify", "userId": self.person, "traits": inner}


class Reading:
    """What one process has been sent, and what it has done with it.

    Attributes:
        bookmarks: stream → how many of its windows are complete, as a STATE would say now.
        open: stream → the window that is being sent.
        rows: all, in order.
        unsettled: person → calls that the process has not settled, in order.
        states: STATEs, each with the number of rows before it.
        printed: how many of them have come out, or were overtaken by one that has.
        counts: calls that were answered, by how.
        has_ended, is_interrupted: the input is at its end; a signal came.
        has_failures, is_stopped: a request has failed; it was unauthorized.
        is_quiet: nothing new may be sent.
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
        """The line of a row that is sent now."""
        self.rows.append(row)
        if row.is_call:
            self.unsettled[row.person].append(row)
        return _line(row.message())

    def add_state(self) -> bytes:
        """The line of a STATE that is sent now; `mark` tells it from all others."""
        bookmarks = {name: {"last_sync_time": done} for name, done in self.bookmarks.items()}
        value = {"bookmarks": bookmarks, "mark": len(self.states)}
        self.states.append((value, len(self.rows)))
        return _line({"type": "STATE", "value": value})


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"


class Judge:
    """Sees every request, answer, dead letter and STATE.

    Attributes:
        reading: what the process that runs was sent.
        printed: the bookmarks of the newest STATE that came out.
        complaints: promises that were broken.
    """

    def __init__(self, letters: LetterFile, limits: Limits, lanes: int) -> None:
        self._letters = letters
        self._limits = limits
        self._lanes = lanes
        self._of_id: dict[str, Row] = {}
        self._of_number: defaultdict[int, list[Row]] = defaultdict(list)
        self._newest: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.rows: list[Row] = []
        self.printed: dict[str, int] = {}
        self.reading = Reading({})
        self.complaints: list[str] = []

    def add_row(self, row: Row) -> None:
        """A row comes into being."""
        self.rows.append(row)
        self._of_number[row.number].append(row)

    # What the process does

    def see_request(self, request: Request, waiting: Sequence[Request], now: float) -> None:
        """An attempt is made."""
        reading, rows = self.reading, [self._row_of(call) for call in request.calls]
        self._complain(len(waiting) >= self._lanes, "too many in flight")
        self._complain(any(r.sender is request.sender for r in waiting), "a lane sends twice")
        self._complain(reading.is_stopped, "sent after 401")
        self._complain(reading.is_quiet, "sent after a signal")
        self._complain(now < request.sender.not_before, "sent before Retry-After")
        size = sum(len(call.body) + 1 for call in request.calls) - 1
        is_too_large = len(rows) > 1 and size > self._limits.batch_max_bytes
        is_too_large |= len(rows) > (self._limits.batch_max_calls or len(rows))
        self._complain(is_too_large, "batch too large")
        in_flight = {id(row) for other in waiting for row in self.rows_of(other)}
        self._complain(any(id(row) in in_flight for row in rows), "sent twice at once")
        for person in {row.person for row in rows if row}:
            own = [row for row in rows if row and row.person == person]
            first = list(islice(reading.unsettled[person], len(own)))
            self._complain(own != first, "out of order")

    def rows_of(self, request: Request) -> list[Row]:
        """The rows of a request that was seen."""
        rows = (self._row_of(call) for call in request.calls)
        return [row for row in rows if row]

    def see_answer(self, request: Request, answer: Answer) -> None:
        """An attempt is about to be answered."""
        rows, outcome = self.rows_of(request), answer.outcome
        if isinstance(outcome, Delivered) or answer.has_arrived:
            self.commit(rows)
        if isinstance(outcome, Delivered):
            self._settle(rows, "delivered")
        elif isinstance(outcome, Rejected) and len(rows) == 1:
            rows[0].was_refused = True
            self._settle(rows, "rejected")
        self.reading.is_stopped |= isinstance(outcome, Fatal)
        self.reading.has_failures |= isinstance(outcome, Retry)

    def commit(self, rows: Sequence[Row]) -> None:
        """The destination has these, whether it says so or not."""
        for row in rows:
            about = (row.window.stream, row.person)
            is_late = row.place < self._newest[about]
            self._complain(is_late and not (row.is_delivered or row.was_refused), "overtaken")
            self._newest[about] = max(self._newest[about], row.place)
            row.is_delivered = True

    def see_state(self, value: dict[str, Any]) -> None:
        """A STATE comes out."""
        mark, reading = value["mark"], self.reading
        self._complain(mark < reading.printed, "states out of order")
        sent, before = reading.states[mark]
        self._complain(value != sent, "state changed")
        self.see_letters()
        is_early = not all(row.is_settled for row in reading.rows[:before])
        self._complain(is_early, "premature state")
        reading.printed = mark + 1
        self.printed = {name: b["last_sync_time"] for name, b in value["bookmarks"].items()}

    def see_end(self, error: BaseException | None, report: RunReport) -> None:
        """The process has ended by itself."""
        reading = self.reading
        self.see_letters()
        expected = {
            DeliveryStopped: reading.is_stopped or reading.has_failures,
            Interrupted: reading.is_interrupted,
            type(None): reading.has_ended and not reading.is_stopped,
        }
        self._complain(not expected.get(type(error), False), f"ended with {error!r}")
        counts: Counter[str] = Counter()
        for stream in report.to_json()["streams"].values():
            counts.update(
                {key: stream[key] for key in ("read", "delivered", "rejected", "filtered")}
            )
        settled = counts["delivered"] + counts["rejected"] + counts["filtered"]
        self._complain(counts["delivered"] != reading.counts["delivered"], "uncounted: delivered")
        self._complain(settled > counts["read"], "uncounted: more than was read")
        if error is None:
            self._complain(settled != counts["read"], "uncounted: settled")
            self._complain(counts["read"] != len(reading.rows), "uncounted: read")
            self._complain(not all(row.is_settled for row in reading.rows), "missing")
            self._complain(reading.printed < len(reading.states), "the last state is missing")

    def see_kill(self) -> None:
        """The process has ended otherwise."""
        self._letters.cut_power()

    # How

    def _complain(self, is_broken: bool, promise: str) -> None:
        if is_broken and promise not in self.complaints:
            self.complaints.append(promise)

    def _row_of(self, call: EncodedCall) -> Row | None:
        """The row of a call: by its id, else the first one that it fits and that has none."""
        content = json.loads(call.body)
        message_id = content.pop("messageId")
        inner = content.get("properties") or content["traits"]
        equal = self._of_number[inner["n"]]
        row = self._of_id.get(message_id)
        if row is None:
            row = next((row for row in equal if row.is_call and row.message_id is None), None)
            if row is None:
                self._complain(True, "repeat with another id")
                return None
            self._of_id[message_id] = row
            row.message_id, row.body = message_id, call.body
            self._complain(content != row.call(), "corrupt")
        self._complain(row not in equal or row.body != call.body, "repeat with other bytes")
        return row

    def _settle(self, rows: Sequence[Row], how: str) -> None:
        self.reading.counts[how] += len(rows)
        for row in rows:
            own = self.reading.unsettled[row.person]
            if row in own:
                own.remove(row)

    def see_letters(self) -> None:
        """Dead letters may have come."""
        for letter in self._letters.read_new():
            if letter["attempts"]:
                row = self._of_id.get(letter["call"]["messageId"])
            else:
                row = self._of_number[letter["record"]["n"]][0]
            is_call = letter["attempts"] > 0
            is_right = row is not None and is_call == row.is_call == row.was_refused
            self._complain(not is_right, "spurious dead letter")
            if row is not None:
                row.is_letter = True


# The machine


class TargetMachine(RuleBasedStateMachine):
    """The target, its tap, its destination, and whoever stops and starts it."""

    removed: ClassVar[Sequence[Callable[[], None]]] = ()
    """Guards that its processes run without."""

    def __init__(self) -> None:
        super().__init__()
        self._world = contextlib.ExitStack()
        self._guards = contextlib.ExitStack()
        self.windows: defaultdict[str, list[Window]] = defaultdict(list)
        self.process: Process | None = None
        self.unread = b""
        self.patience, self.backwards = 20, False

    @initialize(
        concurrency=st.sampled_from([4, 4, 3, 2, 1]),
        max_lanes=st.sampled_from([None, None, None, 2]),
        batch_max_calls=st.sampled_from([None, 1, 2, 3, 5]),
        batch_max_bytes=st.sampled_from([200, 500, 100_000]),
        max_retry_seconds=st.sampled_from([30, 600]),
        turns=st.integers(0, 9),
    )
    def set_up(
        self, concurrency, max_lanes, batch_max_calls, batch_max_bytes, max_retry_seconds, turns
    ):
        """Settings and a destination; no process yet."""
        self.turns = Turns(random.Random(turns))
        folder = Path(self._world.enter_context(tempfile.TemporaryDirectory()))
        letters = LetterFile(folder / "letters.jsonl")
        limits = Limits(
            call_max_bytes=500, batch_max_bytes=batch_max_bytes, batch_max_calls=batch_max_calls
        )
        self.judge = Judge(letters, limits, min(concurrency, max_lanes or concurrency))
        self.far_end = FarEnd(self.turns, limits, max_lanes, self._see_request)
        self._world.enter_context(self.turns.replacing_threads())
        self._world.enter_context(letters.replacing_fsync())
        plugins = Plugins()
        plugins.call_types = LOADED.call_types
        plugins.add_destination(DestinationType(name="far", open=lambda _: self.far_end), "tests")
        run = TargetSettings(
            destination="far",
            concurrency=concurrency,
            dead_letter_path=str(folder / "letters.jsonl"),
            max_retry_seconds=max_retry_seconds,
            max_rejected_ratio=1.0,
        )
        self.configuration = Configuration(run, [run], plugins)

    # What happens

    @rule(stream=STREAMS, call_type=CALL_TYPES, rows=ROWS, share=SHARES)
    def send_rows(self, stream, call_type, rows, share):
        """RECORDs; before the first of a query its SCHEMA, perhaps of another call type."""
        for window in self._windows(stream, call_type):
            for person, note in rows:
                number = len(self.judge.rows) + 1
                self._send(Row(window, number, number, person, note))
            self._give(share)

    @rule(stream=STREAMS, columns=st.sampled_from([[], ["userId"], ["userId", "note"]]))
    def repeat_schema(self, stream, columns):
        """A SCHEMA comes again, with other columns."""
        for window in self._windows(stream):
            window.described = len(window.rows)
            self.unread += _line(window.schema(columns))

    @rule(stream=STREAMS, back=st.integers(1, 8), share=SHARES)
    def send_equal_row(self, stream, back, share):
        """A row that holds what an earlier one held: another event, or a fact that is back."""
        for window in self._windows(stream):
            rows = [row for each in self.windows[stream] for row in each.rows]
            told = window.rows[: window.described] if window.is_of_events else window.rows
            numbers = {row.number for row in told}
            fit = [row for row in rows if row.note != "invalid" and row.number not in numbers]
            for like in fit[-back:][:1]:
                place = len(self.judge.rows) + 1
                self._send(Row(window, like.number, place, like.person, like.note))
            self._give(share)

    @rule(stream=STREAMS, is_complete=st.booleans(), share=SHARES)
    def send_state(self, stream, is_complete, share):
        """A STATE, perhaps at the end of a window."""
        if not self._has_input():
            self._get_well()
            return
        if is_complete and stream in self.judge.reading.open:
            self._end_window(stream)
        self.unread += self.judge.reading.add_state()
        self._give(share)

    @rule(answers=st.lists(HOW, min_size=1, max_size=4))
    def answer(self, answers):
        """Requests are answered, one after the other."""
        for which, how in answers:
            if waiting := self._waiting():
                self._answer(waiting[which % len(waiting)], ANSWERS[how])

    @rule(seconds=SECONDS)
    def pass_time(self, seconds):
        """Nothing happens for a while."""
        self._run()
        self.turns.pass_time(seconds)
        self.judge.reading.is_quiet = self.judge.reading.is_interrupted and seconds > 0.1

    @rule(how=ENDS, has_arrived=st.booleans(), backwards=st.booleans(), patience=PATIENCE)
    def end(self, how, has_arrived, backwards, patience):
        """Something ends the run, sooner or later; the next one has a patience, and an order."""
        process = self._run()
        if self.patience > 0:
            self._get_well()
            return
        self.patience, self.backwards = patience, backwards
        if how == "SIGKILL":
            self._leave(has_arrived=has_arrived)
        elif how == "SIGTERM":
            self.judge.reading.is_interrupted = True
            process.terminate(15)
        elif how == "401" and self.far_end.waiting:
            self._answer(self.far_end.waiting[0], UNAUTHORIZED)
        elif not self.judge.reading.has_ended:
            self._end_input()

    @invariant()
    def judge_all(self):
        """Nothing was broken; a process that has ended is gone."""
        self.patience -= 1
        if self.process is not None:
            self.judge.see_letters()
            if self.process.is_over:
                self.judge.see_end(self.process.error, self.process.report)
                self._leave(has_arrived=True)
        assert not self.judge.complaints, (self.judge.complaints, SEED)

    def teardown(self):
        """All goes well from now on: everything comes out, and a STATE covers it."""
        with self._world, self._guards:
            if hasattr(self, "judge") and not self.judge.complaints:
                self._recover()
            if self.process is not None:
                self.turns.kill()

    # How

    def _run(self) -> Process:
        """The process; a new one starts from the newest STATE, and what that does not cover."""
        if self.process is None:
            reading = self.judge.reading = Reading(self.judge.printed)
            self.unread = b""
            self._guards.enter_context(_without(self.removed))
            self.process = Process(self.turns, self.configuration, self.judge.see_state)
            for stream in sorted(self.windows, reverse=self.backwards):
                for window in self.windows[stream][reading.bookmarks.get(stream, 0) :]:
                    self._open(window)
                    self.unread += b"".join(map(reading.add, window.rows))
        return self.process

    def _has_input(self) -> bool:
        """Whether the process may be sent more."""
        self._run()
        return not self.judge.reading.has_ended

    def _windows(self, stream: str, call_type: str = "track") -> Sequence[Window]:
        """The open window of a stream, if it has one, or may have.

        The next query is of the tap's next run, or of the time after the STATE of the last one.
        """
        if not self._has_input():
            self._get_well()
            return ()
        reading, windows = self.judge.reading, self.windows[stream]
        if stream not in reading.open and self.judge.printed.get(stream, 0) == len(windows):
            windows.append(Window(stream, len(windows), call_type))
            self._open(windows[-1])
        return windows[-1:] if stream in reading.open else ()

    def _waiting(self) -> Sequence[Request]:
        """Requests that wait for an answer, now or soon."""
        self._run()
        if not self.far_end.waiting:
            self.turns.pass_time(1.0)
        return self.far_end.waiting

    def _get_well(self) -> None:
        """Something goes well meanwhile."""
        for request in self._waiting()[:1]:
            self._answer(request, TAKEN)

    def _open(self, window: Window) -> None:
        self.judge.reading.open[window.stream] = window
        self.unread += _line(window.schema([]))

    def _end_window(self, stream: str) -> None:
        window = self.judge.reading.open.pop(stream)
        self.judge.reading.bookmarks[stream] = window.number + 1

    def _send(self, row: Row) -> None:
        row.window.rows.append(row)
        self.judge.add_row(row)
        self.unread += self.judge.reading.add(row)

    def _give(self, share: float) -> None:
        """The target gets what was sent, or a part of it, which may end anywhere."""
        count = round(len(self.unread) * share)
        data, self.unread = self.unread[:count], self.unread[count:]
        self._run().give(data)

    def _end_input(self) -> None:
        self._give(1.0)
        self.judge.reading.has_ended = True
        self._run().close()

    def _see_request(self, request: Request) -> None:
        self.judge.see_request(request, self.far_end.waiting, self.turns.now)

    def _answer(self, request: Request, answer: Answer) -> None:
        """Answer a request; one that holds a call which the destination refuses is refused."""
        if isinstance(answer.outcome, Delivered) or answer.has_arrived:
            notes = {row.note for row in self.judge.rows_of(request)}
            answer = REFUSED if "refused" in notes else answer
        self.judge.see_answer(request, answer)
        if answer.retry_after is not None:
            request.sender.not_before = self.turns.now + answer.retry_after
        self.far_end.answer(request, answer.outcome)

    def _leave(self, *, has_arrived: bool) -> None:
        """The process is gone; what was on its way arrives, or does not."""
        for request in self.far_end.waiting:
            rows = self.judge.rows_of(request)
            if has_arrived and all(row.note != "refused" for row in rows):
                self.judge.commit(rows)
        self.turns.kill()
        self.far_end.waiting.clear()
        self.judge.see_kill()
        self._guards.close()
        self.process = None

    def _recover(self) -> None:
        """Nothing fails any more, until a run has ended well."""
        complete = {stream: len(windows) for stream, windows in self.windows.items() if windows}
        for _ in range(4):
            self._finish()
            self.judge_all()
            if self.judge.printed == complete:
                break
        assert all(row.is_settled for row in self.judge.rows), ("missing", SEED)
        assert self.judge.printed == complete, SEED

    def _finish(self) -> None:
        """Let the process come to its end."""
        process = self._run()
        if not self.judge.reading.has_ended:
            for stream in list(self.judge.reading.open):
                self._end_window(stream)
            self.unread += self.judge.reading.add_state()
            self._end_input()
        for _ in range(2_000):
            if process.is_over:
                return
            if self.far_end.waiting:
                self._answer(self.far_end.waiting[0], TAKEN)
            else:
                self.turns.pass_time(100.0)
        raise AssertionError(("stalled", SEED))


@contextlib.contextmanager
def _without(guards: Sequence[Callable[[], None]]) -> Iterator[None]:
    """Remove guards as a process starts, and put them back in the end."""
    saved = [(owner, dict(vars(owner))) for owner in OWNERS] if guards else []
    try:
        for remove in guards:
            remove()
        yield
    finally:
        for owner, names in saved:
            for name, value in names.items():
                if vars(owner)[name] is not value:
                    setattr(owner, name, value)
            for name in vars(owner).keys() - names.keys():
                delattr(owner, name)


def _load(name: str) -> Any:
    return importlib.import_module(f"target_pipelines.{name}")


DELIVERY, LANE = _load("delivery.senders"), _load("delivery.lane")
LETTERS = _load("acknowledgements.dead_letters")
OWNERS: Sequence[Any] = (
    DELIVERY,
    DELIVERY.Delivery,
    LANE.Lane,
    LETTERS,
    LETTERS.DeadLetters,
    _load("acknowledgements.acks").Acks,
    _load("encoding.encoder"),
    _load("run.pipeline").Pipeline,
    RunReport,
)
"""Where guards are taken out."""


def _run(cases: int, number: int, removed: Sequence[Callable[[], None]] = ()) -> None:
    """Try so many cases; a number has always the same ones."""

    class Machine(TargetMachine):
        pass

    Machine.removed = removed
    run_state_machine_as_test(
        seed(number)(Machine),
        settings=settings(
            max_examples=cases,
            stateful_step_count=ACTIONS,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate] if removed else [Phase.generate, Phase.shrink],
        ),
    )


@pytest.mark.parametrize("part", range(PARTS))
def test_promises_hold_whatever_happens(part):
    """No order of messages, answers, waits, signals, kills and restarts breaks a promise."""
    _run(CASES // PARTS, SEED + part)


# That it can fail


def _drop_failed_batches() -> None:
    """An answer that asks for another attempt is taken for a success."""
    DELIVERY.Delivery._retry_delay = lambda *_: 0.0
    attempt = DELIVERY.Delivery._attempt

    def attempt_once(self: Any, batch: Any, sender: Any) -> Any:
        return attempt(self, batch, _Believing(sender))

    DELIVERY.Delivery._attempt = attempt_once


class _Believing:
    def __init__(self, sender: Any) -> None:
        self._sender = sender

    def send(self, calls: Any) -> Outcome:
        outcome: Outcome = self._sender.send(calls)
        return Delivered() if isinstance(outcome, Retry) else outcome


def _lose_letters() -> None:
    """Rejected rows are counted and settled, and kept nowhere."""
    LETTERS.DeadLetters.add = lambda *_: None


def _retry_at_once() -> None:
    """Retry-After is not heeded."""
    DELIVERY.backoff_seconds = lambda *_: 0.1


def _go_on_after_401() -> None:
    """A lane that was stopped leaves the others alone."""
    DELIVERY.Delivery._fail = lambda self, error: setattr(self, "_failure", error)


def _go_on_after_signals() -> None:
    """A run that is abandoned lets its lanes do what they like, unless one has failed."""
    stop = DELIVERY.Delivery.stop
    DELIVERY.Delivery.stop = lambda self: stop(self) if self._failure else None


def _open_more_lanes() -> None:
    """A destination is not asked how many lanes it takes."""
    vars(DELIVERY)["min"] = max


def _forget_to_wake() -> None:
    """Calls come to a lane, and nobody tells the thread that waits for them."""
    add = LANE.Lane.add

    def add_quietly(self: Any, calls: Any) -> None:
        notify, self._changed.notify_all = self._changed.notify_all, lambda: None
        add(self, calls)
        self._changed.notify_all = notify

    LANE.Lane.add = add_quietly


def _swap_halves() -> None:
    """The second half of a refused batch goes first."""
    split = DELIVERY.split_batch
    DELIVERY.split_batch = lambda batch: split(batch)[::-1]


def _ignore_limits() -> None:
    """Batches may be larger than the destination says."""
    DELIVERY.Lane = lambda limits: LANE.Lane(
        replace(limits, batch_max_bytes=10**6, batch_max_calls=None)
    )


GUARDS: dict[str, tuple[Callable[[], None], str]] = {
    **{
        name: (REMOVALS[name], notices)
        for name, notices in {
            "states wait for their rows": "premature state",
            "dead letters before states": "premature state",
            "dead letters are on the disk": "premature state",
            "a person has one lane": "out of order",
            "ids know the window": "missing",
            "ids are the same again": "repeat with another id",
            "refused batches are split": "spurious dead letter",
            "calls are counted": "out of order|premature state|uncounted",
        }.items()
    },
    "failures are retried": (_drop_failed_batches, "out of order|premature state|uncounted"),
    "dead letters are kept": (_lose_letters, "premature state"),
    "Retry-After is heeded": (_retry_at_once, "sent before Retry-After"),
    "401 stops all lanes": (_go_on_after_401, "sent after 401"),
    "signals stop all lanes": (_go_on_after_signals, "sent after a signal"),
    "destinations limit their lanes": (_open_more_lanes, "too many in flight"),
    "lanes wake up": (_forget_to_wake, "stalled"),
    "halves keep their order": (_swap_halves, "out of order"),
    "batches have limits": (_ignore_limits, "batch too large"),
}


@pytest.mark.parametrize("guard", GUARDS)
def test_machine_notices_when_a_guard_is_missing(guard):
    """With a guard taken away the machine finds a sequence that breaks a promise."""
    remove, notices = GUARDS[guard]

    with pytest.raises(AssertionError, match=notices):
        _run(300, SEED, [remove])
