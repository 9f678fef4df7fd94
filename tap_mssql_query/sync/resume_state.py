"""The progress of a run that reads by ranges, as the state holds it. Pure.

Beside the bookmark of the last complete run the state holds what is needed to resume this one:

    "unfinished": {"last_sync_time": 0, "sync_time": 1767225600, "query_fingerprint": "…",
                   "column": "id", "order_value": 4711, "position": 4700},
    "partitions": [{"context": {"column": "id", "to": 500}, "last_sync_time": 1767225600},
                   {"context": {"column": "id", "from": 500}}]

`order_value` and `position` are for a sync with `order_column`, `partitions` for one with
`partition_column`; a partition with a `last_sync_time` is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_mssql_query.errors import StateError
from tap_mssql_query.sql.key_range import KeyRange, cover_all_values, sql_literal
from tap_mssql_query.sql.template import SyncTimes
from tap_mssql_query.sync.bookmarks import (
    FINGERPRINT_KEY,
    REMEDY,
    SYNC_TIME_KEY,
    UNFINISHED_KEY,
    bookmark_of,
    is_unfinished,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_mssql_query.sql.key_range import KeyValue

_PARTITIONS_KEY = "partitions"


@dataclass(slots=True)
class Partition:
    """A range of the rows, and whether it has been read."""

    range: KeyRange
    is_done: bool = False


@dataclass(slots=True)
class ResumeState:
    """A run that has begun, with its original times and its progress.

    Attributes:
        times: the values of the query's variables, the same for all ranges.
        fingerprint: of the query.
        column: the column whose ranges are read.
        partitions: all ranges; empty for a sync with `order_column`.
        order_value: the last value that was read; None before the first block.
        position: of the first row with that value, counted from 0.
    """

    times: SyncTimes
    fingerprint: str
    column: str
    partitions: Sequence[Partition] = ()
    order_value: KeyValue | None = None
    position: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether every partition is done."""
        return all(partition.is_done for partition in self.partitions)


def read_resume_state(state: Mapping[str, Any], sync: str) -> ResumeState | None:
    """The unfinished run of a sync, None if there is none. Raises StateError."""
    bookmark = state.get("bookmarks", {}).get(sync, {})
    if not is_unfinished(bookmark):
        return None
    try:
        return _parse(bookmark[UNFINISHED_KEY], bookmark.get(_PARTITIONS_KEY, []))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StateError(
            f'The unfinished run of "{sync}" in the state cannot be read. {REMEDY}'
        ) from error


def write_resume_state(state: dict[str, Any], sync: str, resume_state: ResumeState) -> None:
    """Put an unfinished run beside the bookmark of a sync."""
    bookmark = bookmark_of(state, sync)
    fields: dict[str, Any] = {
        SYNC_TIME_KEY: resume_state.times.last_sync_time,
        "sync_time": resume_state.times.sync_time,
        FINGERPRINT_KEY: resume_state.fingerprint,
        "column": resume_state.column,
    }
    if resume_state.order_value is not None:
        fields["order_value"] = resume_state.order_value
        fields["position"] = resume_state.position
    bookmark[UNFINISHED_KEY] = fields
    if resume_state.partitions:
        bookmark[_PARTITIONS_KEY] = [
            _entry_of(partition, resume_state) for partition in resume_state.partitions
        ]


def finish_run(state: dict[str, Any], sync: str, *, sync_time: int, fingerprint: str) -> None:
    """Move the bookmark to the start of a run that has read everything."""
    bookmark = bookmark_of(state, sync)
    bookmark |= {SYNC_TIME_KEY: sync_time, FINGERPRINT_KEY: fingerprint}
    bookmark.pop(UNFINISHED_KEY, None)
    bookmark.pop(_PARTITIONS_KEY, None)


def _parse(fields: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> ResumeState:
    times = SyncTimes(fields[SYNC_TIME_KEY], fields["sync_time"])
    order_value = fields.get("order_value")
    partitions = [_parse_entry(entry, times) for entry in entries]
    if order_value is not None:
        sql_literal(order_value)  # raises ValueError for what is not a key value
    if entries and not cover_all_values([partition.range for partition in partitions]):
        raise ValueError("the partitions do not contain every row")
    position = fields.get("position", 0)
    if type(position) is not int or position < 0:
        raise ValueError("`position` is not a row's position")
    return ResumeState(
        times,
        str(fields[FINGERPRINT_KEY]),
        str(fields["column"]),
        partitions,
        order_value,
        position,
    )


def _parse_entry(entry: Mapping[str, Any], times: SyncTimes) -> Partition:
    bounds = KeyRange(entry["context"].get("from"), entry["context"].get("to"))
    bounds.condition("")  # raises ValueError for what is not a key value
    return Partition(bounds, is_done=entry.get(SYNC_TIME_KEY) == times.sync_time)


def _entry_of(partition: Partition, resume_state: ResumeState) -> dict[str, Any]:
    bounds = {"from": partition.range.low, "to": partition.range.high}
    context = {"column": resume_state.column} | {k: v for k, v in bounds.items() if v is not None}
    done = {SYNC_TIME_KEY: resume_state.times.sync_time} if partition.is_done else {}
    return {"context": context, **done}
