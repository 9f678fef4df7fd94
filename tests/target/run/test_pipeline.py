from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from program_kit.exact_json import decode_object
from target_pipelines.acknowledgements.acks import Acks
from target_pipelines.acknowledgements.dead_letters import DeadLetters
from target_pipelines.acknowledgements.newer_calls import NewerCalls
from target_pipelines.acknowledgements.rejected_rows import RejectedRows
from target_pipelines.acknowledgements.report import RunReport
from target_pipelines.acknowledgements.staged_dead_letters import StagedDeadLetters
from target_pipelines.acknowledgements.state_writer import StateWriter
from target_pipelines.acknowledgements.stream_failures import StreamFailures
from target_pipelines.api.calls import EncodedCall, Limits
from target_pipelines.api.outcomes import Delivered, Outcome, Rejected, Retry
from target_pipelines.api.settings import TargetSettings
from target_pipelines.plugins.loading import load_plugins
from target_pipelines.run.bookkeeping import Bookkeeping
from target_pipelines.run.destination_pipeline import DestinationPipeline
from target_pipelines.run.dispatch import Dispatcher
from target_pipelines.run.lifecycle import running
from target_pipelines.run.pipeline import Pipeline
from tests.target.conftest import record, schema, state

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Mapping, Sequence

PLUGINS = load_plugins()


class _Settled:
    """The rows that the destination or the dead-letter file of a pipeline got."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.delivered: list[tuple[str, int]] = []
        self.rejected: set[int] = set()

    @property
    def numbers(self) -> set[int]:
        return {number for _, number in self.delivered} | self.rejected


class _DeadLetters(DeadLetters):
    def __init__(self, settled: _Settled) -> None:
        super().__init__(Path("dead_letters.jsonl"))
        self._settled = settled

    def append(self, lines: Iterable[bytes]) -> None:
        with self._settled.lock:
            for line in b"".join(lines).splitlines():
                dead_letter = decode_object(line)
                source = dead_letter["record"] or dead_letter["call"]["properties"]
                self._settled.rejected.add(int(source["n"]))


class _Destination:
    """Accepts calls or asks for a retry at random; rejects poison."""

    max_lanes = None
    event_schemas: Mapping[str, Mapping[str, Any]] = {}

    def __init__(self, settled: _Settled, rng: random.Random, batch_max_calls: int) -> None:
        self._settled = settled
        self._rng = rng
        self.limits = Limits(
            call_max_bytes=10_000, batch_max_bytes=10_000, batch_max_calls=batch_max_calls
        )

    def open_sender(self) -> _Destination:
        return self

    def send(self, calls: Sequence[EncodedCall]) -> Outcome:
        with self._settled.lock:
            if self._rng.random() < 0.3:
                return Retry("busy")
            if any(b"poison" in call.body for call in calls):
                return Rejected("poison")
            for call in calls:
                number = int(decode_object(call.body)["properties"]["n"])
                self._settled.delivered.append((call.ordering_key, number))
            return Delivered()

    def close(self) -> None:
        """Do nothing."""


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),  # the stream
        st.integers(1, 4),  # the person
        st.sampled_from(["fine", "fine", "fine", "poison", None]),  # the event
        st.booleans(),  # whether a STATE follows
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(
    ROWS,
    st.integers(1, 7),
    st.integers(1, 4),
    st.integers(1, 10),
    st.integers(1, 3),
    st.randoms(),
)
def test_every_row_is_settled_in_order_before_its_state(
    rows, batch_max_calls, concurrency, block, destinations, rng
):
    """Despite failures no STATE covers an unsettled row, order is kept, and no row is lost."""
    everywhere = [_Settled() for _ in range(destinations)]
    written: list[int] = []

    def write_state(value: dict[str, Any]) -> None:
        last = value["bookmarks"]["s"]["last_sync_time"]
        assert all(settled.numbers >= set(range(last + 1)) for settled in everywhere)
        written.append(last)

    failures = StreamFailures()
    names = [f"d{number}" for number in range(destinations)]
    limits = [
        TargetSettings(name=name, concurrency=concurrency, max_rejected_ratio=1.0) for name in names
    ]
    rejected = {
        own.destination_name: RejectedRows(
            StagedDeadLetters(_DeadLetters(settled)), failures, own, lambda _stream: 1_000
        )
        for own, settled in zip(limits, everywhere, strict=True)
    }
    writer = StateWriter(write_state, failures, [rows.dead_letters for rows in rejected.values()])
    newer_calls = {own.destination_name: NewerCalls(Path("none"), lambda _: True) for own in limits}
    books = Bookkeeping(Acks(writer.write), failures, rejected, newer_calls, writer.finish)
    pipelines = [
        DestinationPipeline(
            own,
            _Destination(settled, rng, batch_max_calls),
            books,
            report=RunReport(),
            check_interrupted=lambda: None,
            jitter=lambda: 0.0,  # no waiting
        )
        for own, settled in zip(limits, everywhere, strict=True)
    ]
    pipeline = Pipeline(pipelines, books)
    dispatcher = Dispatcher(pipeline, plugins=PLUGINS, call_types={}, failures=failures)
    with running(pipeline):
        lines = _lines_of(rows)
        for start in range(0, len(lines), block):
            dispatcher.dispatch(b"".join(lines[start : start + block]))

    assert written == sorted(written)
    for settled in everywhere:
        assert settled.numbers == set(range(len(rows)))
        for person in "1234":
            numbers = [number for whom, number in settled.delivered if whom == person]
            assert numbers == sorted(numbers)


def _lines_of(rows) -> list[bytes]:
    messages = [schema("a", "track"), schema("b", "track")]
    for number, (stream, person, event, has_state) in enumerate(rows):
        messages.append(record(stream, userId=person, event=event, n=number))
        if has_state:
            messages.append(state(number))
    return [json.dumps(message).encode() + b"\n" for message in messages]
