"""Rows that several polls read, encoded as events: each must have one messageId. Pure."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_pipelines.encoding.message_ids import EventIds, encode_key
from target_pipelines.encoding.message_ids import Repeats as Repeated
from target_pipelines.plugins.loading import load_plugins
from target_pipelines.singer.streams import Stream
from tests.reliability.histories import run_histories
from tests.reliability.oracle import Verdict
from tests.reliability.registry import Soak, SoakRow, Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_mssql_query.sql.template import SyncTimes

KINDS: Mapping[str, Mapping[str, Any]] = {
    "key": {"keys": frozenset({"order"})},
    "timestamp": {},
}
"""What the id of an event is made of, and what its stream has for that."""
FULL_COUNT = 5_000
_AT_ONCE = 250
_TRACK = load_plugins().call_types["track"]


@dataclass(slots=True)
class Repeats:
    """The counts over some histories.

    Attributes:
        repeats: calls beyond the first one of their row.
        other_ids: those with another messageId than the first one.
        shared_ids: rows that have the messageId of another row.
    """

    repeats: int = 0
    other_ids: int = 0
    shared_ids: int = 0


def send_histories(count: int, seed: int | str, kind: str) -> Repeats:
    """Encode what the polls of generated histories read, and count the ids of each row."""
    found, ids = Repeats(), defaultdict[tuple[int, int], list[str]](list)

    def send(history: int, times: SyncTimes, rows: list[int]) -> None:
        for row, message_id in _encode(history, times, rows, kind):
            ids[history, row].append(message_id)

    run_histories(count, seed, observe=send)
    for own in ids.values():
        found.repeats += len(own) - 1
        found.other_ids += sum(each != own[0] for each in own)
    found.shared_ids = len(ids) - len({own[0] for own in ids.values()})
    return found


def _encode(
    history: int, times: SyncTimes, rows: list[int], kind: str
) -> Iterable[tuple[int, str]]:
    """The rows of one poll and their messageIds."""
    stream = Stream(
        name="events",
        call_type=_TRACK,
        plugin="tests",
        last_sync_time=times.last_sync_time,
        sync_time=times.sync_time,
        **KINDS[kind],
    )
    ids = EventIds(stream, "", Repeated())
    for row in rows:
        record = {"userId": 1, "event": "Bought", "order": f"{history}-{row}"}
        key = encode_key(record, stream.key_columns)
        call = ids.add_to(json.dumps(record).encode(), True if key is None else key)
        yield row, json.loads(call)["messageId"]


def soak(soak: Soak) -> Iterable[SoakRow]:
    """Histories with a lookback; an event whose repeat has another id is sent twice."""
    tally, count = Tally("boundary repeats of events"), soak.count(FULL_COUNT)
    for start in range(0, count, _AT_ONCE):
        for kind in KINDS:
            seed, some = f"{soak.seed} {start}", min(_AT_ONCE, count - start)
            found = send_histories(some, seed, kind)
            verdict = Verdict(
                repeats=found.repeats,
                repeats_with_other_ids=found.other_ids,
                missing=found.shared_ids,
            )
            tally.add(cases=some, faults=some, verdict=verdict)
            soak.show_progress(f"{tally.scenario}: {tally.cases}")
            if verdict.violations:
                soak.report(f"{verdict.violations} in histories of seed {seed!r} by {kind}")
    yield tally.row()
