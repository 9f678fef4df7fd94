"""messageIds of whole runs: the same however the input arrives, and whichever process encodes."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_pipelines.acknowledgements.report import RunReport
from target_pipelines.acknowledgements.stream_failures import StreamFailures
from target_pipelines.run.bookkeeping import find_newer_calls, keep_books
from target_pipelines.run.build import build_pipeline
from target_pipelines.run.configuration import load_configuration
from target_pipelines.run.dispatch import Dispatcher
from target_pipelines.run.dry_run import CountedDeadLetters
from target_pipelines.run.lifecycle import running
from target_pipelines.run.worker_pool import WorkerPool
from target_pipelines.singer.positions import SentPositions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from target_pipelines.singer.positions import Positions

CONFIGURATION = load_configuration({"destination": "file", "output_path": os.devnull})
KEYS: Sequence[Sequence[str]] = ([], ["order"], ["order", "item"])
VALUES = st.sampled_from([None, 1, 2, "1", "null", "ünï", True])
ROWS = st.fixed_dictionaries(
    {
        "userId": st.integers(1, 3),
        "event": st.just("Bought"),
        "order": VALUES,
        "item": st.sampled_from([None, 1, 1.5, "a", {"name": "Zoë", "sizes": [1, 2]}]),
        "timestamp": st.sampled_from([None, "2026-01-02T03:04:05Z"]),
    }
)


class _Inbox:
    """Stands for a worker: keeps what the parent sends."""

    def __init__(self) -> None:
        self.lines = b""

    def send(self, lines: bytes, _check: Callable[[], None]) -> None:
        """Keep the lines."""
        self.lines += lines


def _schema(
    call_type: str, keys: Sequence[str] = (), keywords: Mapping[str, Any] | None = None
) -> bytes:
    names = ("userId", "event", "order", "item", "timestamp")
    schema = {
        "properties": {name: {} for name in names},
        "x-call-type": call_type,
        **(keywords or {}),
    }
    return _line({"type": "SCHEMA", "stream": "s", "schema": schema, "key_properties": keys})


def _record(row: dict[str, Any], separators: tuple[str, str] = (",", ":")) -> bytes:
    return _line({"type": "RECORD", "stream": "s", "record": row}, separators)


def _line(message: dict[str, Any], separators: tuple[str, str] = (",", ":")) -> bytes:
    return json.dumps(message, separators=separators, ensure_ascii=False).encode() + b"\n"


def _deliver(blocks: Iterable[bytes], positions: Positions | None = None) -> list[dict[str, Any]]:
    """The calls of a run that gets these blocks of lines."""
    written: list[bytes] = []
    reports, failures = {"file": RunReport()}, StreamFailures()
    pipeline = build_pipeline(
        CONFIGURATION,
        reports=reports,
        bookkeeping=keep_books(
            CONFIGURATION,
            reports=reports,
            failures=failures,
            newer_calls=find_newer_calls(CONFIGURATION),
            write_state=lambda _state: None,
            staged=CountedDeadLetters(),
        ),
        check_interrupted=lambda: None,
        write_calls=written.append,
    )
    dispatcher = Dispatcher(
        pipeline,
        plugins=CONFIGURATION.plugins,
        call_types={},
        failures=failures,
        started_at=5,
        positions=positions,
    )
    with running(pipeline):
        for block in blocks:
            dispatcher.dispatch(block)
    return [json.loads(line) for line in b"".join(written).splitlines()]


def _deliver_by_workers(blocks: Iterable[bytes]) -> list[dict[str, Any]]:
    """The calls of a run over two workers."""
    failures = StreamFailures()
    pool = WorkerPool(
        CONFIGURATION,
        reports={},
        failures=failures,
        newer_calls={},
        write_state=lambda _state: None,
        check_interrupted=lambda: None,
    )
    inboxes = [_Inbox(), _Inbox()]
    pool._workers = inboxes  # type: ignore[assignment]
    pool._outboxes = [[], []]
    dispatcher = Dispatcher(
        pool, plugins=CONFIGURATION.plugins, call_types={}, failures=failures, started_at=5
    )
    for block in blocks:
        dispatcher.dispatch(block)
    return [call for inbox in inboxes for call in _deliver([inbox.lines], SentPositions())]


def _ids(calls: Iterable[dict[str, Any]]) -> list[str]:
    return [call["messageId"] for call in calls]


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["identify", "track"]),
    st.sampled_from(KEYS),
    st.lists(ROWS, min_size=1, max_size=30),
    st.integers(1, 30),
)
def test_ids_do_not_depend_on_how_the_input_arrives(call_type, keys, rows, size):
    """Blocks, single lines, blank lines, equal SCHEMAs and workers give the same calls."""
    schema = _schema(call_type, keys)
    lines = [_record(row) for row in rows]
    expected = _deliver([schema + b"".join(lines)])

    assert _deliver([schema, *lines]) == expected
    assert _deliver([schema, *(b"\n" + line for line in lines)]) == expected
    chunks = [b"".join(lines[start : start + size]) for start in range(0, len(lines), size)]
    assert _deliver([schema, *(schema + chunk for chunk in chunks)]) == expected
    spaced = [_record(row, (",  ", " : ")) for row in rows]
    assert _deliver([schema, *spaced]) == expected
    escaped = [json.dumps(json.loads(line)).encode() + b"\n" for line in lines]
    assert _deliver([schema, b"".join(escaped)]) == expected
    assert _deliver([schema, *(line.rstrip() + b" \r\n" for line in lines)]) == expected
    by_workers = _deliver_by_workers([schema, *chunks])
    assert Counter(map(str, by_workers)) == Counter(map(str, expected))


A, B = {"userId": 1, "order": 1}, {"userId": 1, "order": 2}
EVENT: dict[str, Any] = {"userId": 1, "event": "Bought", "order": 7}
TIMED = {**EVENT, "timestamp": "2026-01-02T03:04:05Z"}


@pytest.mark.parametrize("keys", [[], ["userId"]], ids=["no key", "key"])
def test_fact_that_changes_back_has_a_third_id(keys):
    """A → B → A within one result and across runs are three calls."""
    lines = [_record(row) for row in (A, B, A)]

    at_once = _ids(_deliver([_schema("identify", keys, keywords={"x-sync-time": 1}), *lines]))
    runs = [
        _ids(_deliver([_schema("identify", keys, keywords={"x-sync-time": time}), line]))[0]
        for time, line in enumerate(lines)
    ]

    assert len(set(at_once)) == len(set(runs)) == 3


def test_fact_is_told_apart_by_partition_and_resumption():
    """Positions are counted within a partition, and go on in a resumed read."""
    partitions = [
        _schema("identify", keywords={"x-sync-time": 1, "x-partition": n}) for n in range(2)
    ]
    resumed = _schema("identify", keywords={"x-sync-time": 1, "x-position": 1})
    whole = _schema("identify", keywords={"x-sync-time": 1})
    row, rows = _record(A), [_record(row) for row in (A, B, A)]

    one_process = _ids(_deliver([partitions[0], row, partitions[1], row]))
    tasks = [_ids(_deliver([schema, row]))[0] for schema in partitions]

    assert one_process == tasks
    assert len(set(tasks)) == 2
    assert _ids(_deliver([whole, *rows, resumed, *rows[1:]]))[1:3] == _ids(
        _deliver([resumed, *rows[1:]])
    )
    assert _ids(_deliver([resumed, *rows[1:]])) == _ids(_deliver([whole, *rows]))[1:]


WINDOWS = [{"x-last-sync-time": time, "x-sync-time": time + 60} for time in (0, 60, 120)]
REPEATS: dict[str, tuple[list[str], dict[str, Any], int]] = {
    "key": (["order"], EVENT, 1),
    "key and other content": (["order"], {**EVENT, "item": 1}, 1),
    "timestamp": ([], TIMED, 1),
    "neither": ([], EVENT, 3),
    "NULL in the key": (["item"], {**TIMED, "item": None}, 1),
}


@pytest.mark.parametrize(("keys", "row", "distinct"), REPEATS.values(), ids=list(REPEATS))
def test_event_of_several_windows(keys, row, distinct):
    """A lookback, --since or --resync repeats the id if there is a key or a timestamp."""
    ids = {
        _ids(_deliver([_schema("track", keys, keywords=window), _record(row)]))[0]
        for window in WINDOWS
    }

    assert len(ids) == distinct
    assert max(map(len, ids)) <= 100


def test_equal_events_without_keys_are_counted_across_schemas():
    """A SCHEMA in the middle of a run does not start the count again."""
    line = _record(TIMED)

    assert len(set(_ids(_deliver([_schema("track"), line, _schema("track"), line])))) == 2
    assert len(set(_ids(_deliver([_schema("track"), line + line])))) == 2


def test_resumed_read_repeats_its_events():
    """The last rows before a resumption come again, as the same events."""
    line = _record(TIMED)
    resumed = _schema("track", keywords={"x-position": 4})

    first, again = _ids(_deliver([_schema("track"), line, resumed, line]))

    assert first == again


def test_rows_with_a_null_key_are_different_events():
    """NULL is no key: rows that differ elsewhere must not become one event."""
    lines = [_record({**TIMED, "item": None, "order": n}) for n in range(5)]

    assert len(set(_ids(_deliver([_schema("track", ["item"]), b"".join(lines)])))) == 5


def test_renamed_stream_keeps_the_ids_of_its_events():
    """`x-renamed-from` is the name in the hash."""
    old = _deliver([_schema("track", ["order"]), _record(EVENT)])
    new = [
        line.replace(b'"stream":"s"', b'"stream":"new"')
        for line in (_schema("track", ["order"], keywords={"x-renamed-from": "s"}), _record(EVENT))
    ]

    assert _ids(_deliver(new)) == _ids(old)
