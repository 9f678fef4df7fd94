"""How a run of a sync reads its rows: at once, by partitions, or in the order of a column.

A reading in parts notes in the state what is done, so that a run that is cut short is gone on with:
with its original times, so that rows that are read again become the same calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_mssql_query.errors import QueryFailed, StateError
from tap_mssql_query.settings.table import MAX_PARTITIONS
from tap_mssql_query.sql.key_range import KeyRange, quote_name, split, value_of
from tap_mssql_query.sql.range_query import take_apart
from tap_mssql_query.sql.template import fingerprint_of, render_query
from tap_mssql_query.sync.bookmarks import refuse_future
from tap_mssql_query.sync.resume_state import Partition, Unfinished, read_unfinished

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pyarrow as pa

    from tap_mssql_query.mssql.session import Session
    from tap_mssql_query.settings.model import SyncSettings
    from tap_mssql_query.sql.range_query import BoundedQuery
    from tap_mssql_query.sql.template import SyncTimes

    Save = Callable[[Unfinished], None]


class Reading:
    """All rows at once; a run that is cut short starts anew."""

    def __init__(self, sync: SyncSettings, times: SyncTimes) -> None:
        self.sync = sync
        self.sql = render_query(sync.query, times)

    def queries(self) -> Iterator[str]:
        """The queries still to be read; who asks for the next has written all rows of the last."""
        yield self.sql

    def note_block(self, block: pa.RecordBatch) -> None:
        """The rows of a block have been written."""

    @property
    def is_complete(self) -> bool:
        """Whether the bookmark may move once all queries are read."""
        return True


class _ReadingInParts(Reading):
    """What both ways to read in parts need: the run, its query, and who keeps how far it came."""

    def __init__(
        self, sync: SyncSettings, unfinished: Unfinished, bounded: BoundedQuery, save: Save
    ) -> None:
        super().__init__(sync, unfinished.times)
        self._unfinished = unfinished
        self._bounded = bounded
        self._save = save


class PartitionedReading(_ReadingInParts):
    """One range of a column after the other; with `only`, that partition alone."""

    only: int | None = None

    def queries(self) -> Iterator[str]:
        """One for each partition that is to be read and is not done."""
        self._save(self._unfinished)
        for number, partition in enumerate(self._unfinished.partitions):
            if not partition.is_done and self.only in (None, number):
                yield self._bounded.where(partition.range.condition(self._unfinished.column))
                partition.is_done = True
                self._save(self._unfinished)

    @property
    def is_complete(self) -> bool:
        """Whether every partition is done, by this run or by others."""
        return all(partition.is_done for partition in self._unfinished.partitions)


class OrderedReading(_ReadingInParts):
    """In the order of a column, from the last value that was settled."""

    def queries(self) -> Iterator[str]:
        """One, for the values from the last one on: others may have the same."""
        order = f"\nORDER BY {quote_name(self._unfinished.column)}"
        rest = KeyRange(low=self._unfinished.order_value)
        yield self._bounded.where(rest.condition(self._unfinished.column), order=order)

    def note_block(self, block: pa.RecordBatch) -> None:
        """Note the value of the last row. Raises QueryFailed if nothing can be noted of it."""
        from tap_mssql_query.sync.order_value import last_value  # noqa: PLC0415 - loads pyarrow

        value = last_value(block, self._unfinished.column)
        if value is not None:
            self._unfinished.order_value = value
            self._save(self._unfinished)


def column_of(sync: SyncSettings) -> str | None:
    """By which column a sync is read in parts; None if it is read at once."""
    return sync.partition_column or sync.order_column


def find_unfinished(
    sync: SyncSettings, state: Mapping[str, Any], *, now: int, say: Callable[..., None]
) -> Unfinished | None:
    """The run of a sync that was cut short, if it can be gone on with. Raises StateError.

    `say` is told which of both it is, as a logger is; `now` is unix seconds by the server's clock.
    """
    unfinished = read_unfinished(state, sync.name)
    if unfinished is None:
        return None
    refuse_future(unfinished.times.sync_time, sync=sync.name, server_time=now)
    if _is_same(sync, unfinished):
        say("sync=%s goes on with a run that was cut short", sync.name)
        return unfinished
    say(
        "sync=%s: its last run was cut short, and its query or the column by which it is read has "
        "changed: it starts over.",
        sync.name,
    )
    return None


def find_partitioned_run(
    sync: SyncSettings, state: Mapping[str, Any], partition: int, *, now: int
) -> Unfinished:
    """The unfinished run that a partition belongs to. Raises StateError if there is none."""
    option = f"--partition {partition}"
    unfinished = read_unfinished(state, sync.name)
    if unfinished is None or not unfinished.partitions:
        raise StateError(
            f'{option}: the state has no unfinished partitioned run of sync "{sync.name}". Pass '
            "the state that holds it, or run the sync without --partition."
        )
    refuse_future(unfinished.times.sync_time, sync=sync.name, server_time=now)
    if not _is_same(sync, unfinished):
        raise StateError(
            f'{option}: the unfinished run of sync "{sync.name}" in the state has another query or '
            "`partition_column`. Run the sync without --partition to start over."
        )
    count = len(unfinished.partitions)
    if partition >= count:
        raise StateError(
            f'{option}: the unfinished run of sync "{sync.name}" has {count} partitions. Choose '
            f"one from 0 to {count - 1}."
        )
    return unfinished


def _is_same(sync: SyncSettings, unfinished: Unfinished) -> bool:
    """Whether an unfinished run has the sync's query and columns."""
    return (
        unfinished.fingerprint == fingerprint_of(sync.query)
        and unfinished.column == column_of(sync)
        and bool(unfinished.partitions) == bool(sync.partition_column)
    )


def bound(sync: SyncSettings, sql: str) -> BoundedQuery:
    """A rendered query of the sync, ready to be read in parts. Raises QueryFailed."""
    return take_apart(sql, keeps_order=bool(sync.partition_column))


def plan_reading(
    session: Session,
    sync: SyncSettings,
    times: SyncTimes,
    unfinished: Unfinished | None,
    save: Save,
    *,
    partition: int | None = None,
) -> Reading:
    """How to read a sync. Raises QueryFailed if its query cannot be read in parts.

    Args:
        session: to ask for the extremes of the partition column.
        sync: the sync.
        times: of this run.
        unfinished: the run that is gone on with; None for a new one.
        save: keeps how far the run came.
        partition: the only one to read; None for all.
    """
    column = column_of(sync)
    if column is None:
        return Reading(sync, times)
    bounded = bound(sync, render_query(sync.query, times))
    run = unfinished or Unfinished(times, fingerprint_of(sync.query), column)
    if sync.order_column:
        return OrderedReading(sync, run, bounded, save)
    if not run.partitions:
        run.partitions = find_partitions(session, sync, bounded)
    reading = PartitionedReading(sync, run, bounded, save)
    reading.only = partition
    return reading


def find_partitions(session: Session, sync: SyncSettings, bounded: BoundedQuery) -> list[Partition]:
    """Ask the server for the extremes of the column, and split what lies between."""
    column = str(sync.partition_column)
    ((least, greatest, rows),) = session.fetch_all(
        bounded.extent(column, counts=sync.partition_rows is not None)
    )
    count = sync.partitions or min(-(-rows // (sync.partition_rows or 1)), MAX_PARTITIONS)
    if least is None:
        return [Partition(KeyRange())]
    try:
        ranges = split(value_of(least), value_of(greatest), count)
    except ValueError as error:
        raise QueryFailed(f"`partition_column` {column} cannot be split: it is {error}.") from error
    return [Partition(each) for each in ranges]
