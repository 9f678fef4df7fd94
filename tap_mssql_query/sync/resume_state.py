"""A run that reads in parts, as the state tells of it: when it began, and what is done. Pure.

Beside the bookmark of the last run that read everything stands what a later run needs to go on:

    "unfinished": {"last_sync_time": 0, "sync_time": 1767225600, "query_fingerprint": "…",
                   "column": "id", "order_value": 4711},
    "partitions": [{"context": {"column": "id", "to": 500}, "last_sync_time": 1767225600},
                   {"context": {"column": "id", "from": 500}}]

`order_value` is for a sync with `order_column`, `partitions` for one with `partition_column`; a
partition with a `last_sync_time` is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_mssql_query.errors import StateError
from tap_mssql_query.sql.key_range import KeyRange, cover_all, literal_of
from tap_mssql_query.sql.template import SyncTimes
from tap_mssql_query.sync.bookmarks import FINGERPRINT_KEY, KEY, REMEDY, bookmark_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_mssql_query.sql.key_range import Value

_UNFINISHED_KEY = "unfinished"
_PARTITIONS_KEY = "partitions"


@dataclass(slots=True)
class Partition:
    """A range of the rows, and whether it has been read."""

    range: KeyRange
    is_done: bool = False


@dataclass(slots=True)
class Unfinished:
    """A run that began, with its original times, and how far it came.

    Attributes:
        times: what the query's variables stand for, in every part.
        fingerprint: of the query.
        column: by which it is read.
        partitions: all ranges; none for a sync with `order_column`.
        order_value: of the last row that was settled; None before there is one.
    """

    times: SyncTimes
    fingerprint: str
    column: str
    partitions: Sequence[Partition] = ()
    order_value: Value | None = None


def read_unfinished(state: Mapping[str, Any], sync: str) -> Unfinished | None:
    """The run of a sync that was cut short, if there is one. Raises StateError."""
    bookmark = state.get("bookmarks", {}).get(sync, {})
    if _UNFINISHED_KEY not in bookmark:
        return None
    try:
        return _parse(bookmark[_UNFINISHED_KEY], bookmark.get(_PARTITIONS_KEY, []))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StateError(
            f'What the state says of the unfinished run of "{sync}" cannot be read. {REMEDY}'
        ) from error


def write_unfinished(state: dict[str, Any], sync: str, unfinished: Unfinished) -> None:
    """Put an unfinished run beside the bookmark of a sync."""
    bookmark = bookmark_of(state, sync)
    fields: dict[str, Any] = {
        KEY: unfinished.times.last_sync_time,
        "sync_time": unfinished.times.sync_time,
        FINGERPRINT_KEY: unfinished.fingerprint,
        "column": unfinished.column,
    }
    if unfinished.order_value is not None:
        fields["order_value"] = unfinished.order_value
    bookmark[_UNFINISHED_KEY] = fields
    if unfinished.partitions:
        bookmark[_PARTITIONS_KEY] = [
            _entry_of(partition, unfinished) for partition in unfinished.partitions
        ]


def finish(state: dict[str, Any], sync: str, *, sync_time: int, fingerprint: str) -> None:
    """Everything has been read: the bookmark moves to the time at which that began."""
    bookmark = bookmark_of(state, sync)
    bookmark |= {KEY: sync_time, FINGERPRINT_KEY: fingerprint}
    bookmark.pop(_UNFINISHED_KEY, None)
    bookmark.pop(_PARTITIONS_KEY, None)


def _parse(fields: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> Unfinished:
    times = SyncTimes(fields[KEY], fields["sync_time"])
    order_value = fields.get("order_value")
    partitions = [_parse_entry(entry, times) for entry in entries]
    if order_value is not None:
        literal_of(order_value)
    if entries and not cover_all([partition.range for partition in partitions]):
        raise ValueError("rows lie in no partition")
    return Unfinished(
        times, str(fields[FINGERPRINT_KEY]), str(fields["column"]), partitions, order_value
    )


def _parse_entry(entry: Mapping[str, Any], times: SyncTimes) -> Partition:
    bounds = KeyRange(entry["context"].get("from"), entry["context"].get("to"))
    bounds.condition("")  # raises ValueError for what cannot be a bound
    return Partition(bounds, is_done=entry.get(KEY) == times.sync_time)


def _entry_of(partition: Partition, unfinished: Unfinished) -> dict[str, Any]:
    bounds = {"from": partition.range.low, "to": partition.range.high}
    context = {"column": unfinished.column} | {k: v for k, v in bounds.items() if v is not None}
    done = {KEY: unfinished.times.sync_time} if partition.is_done else {}
    return {"context": context, **done}
