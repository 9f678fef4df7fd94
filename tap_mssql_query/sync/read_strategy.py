"""How a run reads its rows: all at once, partition by partition, or in the order of a column.

The last two save their progress in the state, so that an interrupted run can be resumed: with its
original times, so that re-read rows produce identical calls.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_mssql_query.errors import QueryFailed, StateError
from tap_mssql_query.settings.table import MAX_PARTITIONS
from tap_mssql_query.sql.key_range import KeyRange, quote_name, split_range, to_key_value
from tap_mssql_query.sql.range_query import split_query
from tap_mssql_query.sql.template import fingerprint_of
from tap_mssql_query.sync.bookmarks import check_not_in_future
from tap_mssql_query.sync.query import query_of
from tap_mssql_query.sync.resume_state import Partition, ResumeState, read_resume_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pyarrow as pa

    from tap_mssql_query.mssql.session import Session
    from tap_mssql_query.settings.model import SyncSettings
    from tap_mssql_query.sql.range_query import RangeQuery
    from tap_mssql_query.sql.select_only import SelectQuery
    from tap_mssql_query.sql.template import SyncTimes

    SaveProgress = Callable[[ResumeState], None]


class ReadStrategy:
    """How a run reads the rows of a sync."""

    def queries(self) -> Iterator[SelectQuery]:
        """The queries to run. Asking for the next confirms that the last was fully written."""
        raise NotImplementedError

    def check_block(self, block: pa.RecordBatch) -> None:
        """Called before the rows of a block are written. Raises QueryFailed to refuse them."""

    def on_block_written(self, block: pa.RecordBatch) -> None:
        """Called after the rows of a block were written."""

    @property
    def schema_keywords(self) -> Mapping[str, Any]:
        """What the SCHEMA of the current query says of it, for the messageIds."""
        return {}

    @property
    def is_complete(self) -> bool:
        """Whether the bookmark may move once all queries were run."""
        return True


@dataclass
class WholeRead(ReadStrategy):
    """Reads all rows at once; an interrupted run starts over."""

    query: SelectQuery

    def queries(self) -> Iterator[SelectQuery]:
        """The sync's own query."""
        yield self.query


@dataclass
class _ResumableRead(ReadStrategy):
    """Reads the query range by range and saves its progress."""

    resume_state: ResumeState
    range_query: RangeQuery
    save: SaveProgress


@dataclass
class PartitionedRead(_ResumableRead):
    """Reads one partition after the other; with `only`, that one alone."""

    only: int | None
    _current: int = field(default=0, init=False)

    def queries(self) -> Iterator[SelectQuery]:
        """One query for each partition that is to be read and is not done."""
        self.save(self.resume_state)
        for number, partition in enumerate(self.resume_state.partitions):
            if not partition.is_done and self.only in (None, number):
                self._current = number
                condition = partition.range.condition(self.resume_state.column)
                yield self.range_query.where(condition)
                partition.is_done = True
                self.save(self.resume_state)

    @property
    def schema_keywords(self) -> Mapping[str, Any]:
        """The number of the partition, whether it is read here or by a task of a cluster."""
        return {"x-partition": self._current}

    @property
    def is_complete(self) -> bool:
        """Whether every partition is done, by this run or by others."""
        return self.resume_state.is_complete


@dataclass
class OrderedRead(_ResumableRead):
    """Reads in the order of a column, from the last value that was saved."""

    _first: int = field(default=0, init=False)
    _next: int = field(default=0, init=False)

    def queries(self) -> Iterator[SelectQuery]:
        """One query. It includes the last value, which other rows may have as well."""
        column = self.resume_state.column
        self._first = self._next = self.resume_state.position
        rest = KeyRange(low=self.resume_state.order_value)
        order = f"\nORDER BY {quote_name(column)}"
        yield self.range_query.where(rest.condition(column), order=order)

    def check_block(self, block: pa.RecordBatch) -> None:
        """Raise QueryFailed if the values cannot be saved: every run would send these rows."""
        from tap_mssql_query.sync.order_value import last_value  # noqa: PLC0415 - loads pyarrow

        last_value(block, self.resume_state.column)

    def on_block_written(self, block: pa.RecordBatch) -> None:
        """Save the value of the last row."""
        from tap_mssql_query.sync.order_value import (  # noqa: PLC0415 - loads pyarrow
            count_last,
            last_value,
        )

        run = self.resume_state
        value = last_value(block, run.column)
        self._next += block.num_rows
        if value is None:
            return
        if value != run.order_value:
            run.order_value = value
            run.position = self._next - count_last(block, run.column)
        self.save(run)

    @property
    def schema_keywords(self) -> Mapping[str, Any]:
        """The position of the first row, if the read was resumed."""
        return {"x-position": self._first} if self._first else {}


def range_column_of(sync: SyncSettings) -> str | None:
    """The column by whose ranges a sync is read; None if it is read at once."""
    return sync.partition_column or sync.order_column


def _check_not_in_future(sync: SyncSettings, found: ResumeState, now: int) -> None:
    check_not_in_future(
        found.times.sync_time,
        sync=sync.name,
        server_time=now,
        tolerance_seconds=sync.database.clock_tolerance_seconds,
    )


def find_resume_state(
    sync: SyncSettings, state: Mapping[str, Any], *, now: int, log: Callable[..., None]
) -> ResumeState | None:
    """The interrupted run to resume; None if there is none, or its settings have changed.

    Args:
        sync: the sync.
        state: the Singer state.
        now: unix seconds by the server's clock.
        log: a logger's method, which gets a line that says whether the run is resumed.

    Raises:
        StateError: the state cannot be used.
    """
    found = read_resume_state(state, sync.name)
    if found is None:
        return None
    _check_not_in_future(sync, found, now)
    if _has_same_settings(sync, found):
        log("sync=%s resumes an interrupted run", sync.name)
        return found
    log(
        "sync=%s: its last run was interrupted, and its query, `partition_column` or "
        "`order_column` has changed since: it starts over.",
        sync.name,
    )
    return None


def find_partitioned_run(
    sync: SyncSettings, state: Mapping[str, Any], partition: int, *, now: int
) -> ResumeState:
    """The unfinished run that a partition belongs to. Raises StateError if there is none."""
    option = f"--partition {partition}"
    found = read_resume_state(state, sync.name)
    if found is None or not found.partitions:
        raise StateError(
            f'{option}: the state has no unfinished partitioned run of sync "{sync.name}". Pass '
            "the state that holds it, or run the sync without --partition."
        )
    _check_not_in_future(sync, found, now)
    if not _has_same_settings(sync, found):
        raise StateError(
            f'{option}: the unfinished run of sync "{sync.name}" in the state has another query or '
            "`partition_column`. Run the sync without --partition to start over."
        )
    count = len(found.partitions)
    if partition >= count:
        raise StateError(
            f'{option}: the unfinished run of sync "{sync.name}" has {count} partitions. Choose '
            f"one from 0 to {count - 1}."
        )
    return found


def _has_same_settings(sync: SyncSettings, resume_state: ResumeState) -> bool:
    """Whether the interrupted run had the sync's current query and columns."""
    return (
        resume_state.fingerprint == fingerprint_of(sync.query)
        and resume_state.column == range_column_of(sync)
        and bool(resume_state.partitions) == bool(sync.partition_column)
    )


def split_sync_query(sync: SyncSettings, times: SyncTimes) -> RangeQuery:
    """Split the query of the sync. Raises QueryFailed if it cannot be read by ranges."""
    return split_query(query_of(sync, times), keeps_order=bool(sync.partition_column))


def choose_strategy(
    session: Session,
    sync: SyncSettings,
    times: SyncTimes,
    resume_state: ResumeState | None,
    save: SaveProgress,
    *,
    partition: int | None = None,
    on_count: Callable[[int], None] = lambda _: None,
) -> ReadStrategy:
    """Choose how to read a sync. Raises QueryFailed if its query cannot be read by ranges.

    Args:
        session: for the extremes of the partition column.
        sync: the sync.
        times: of this run.
        resume_state: the run to resume; None for a new one.
        save: saves the progress of the run.
        partition: the only one to read; None for all.
        on_count: called with the number of rows if a new run counts them.
    """
    column = range_column_of(sync)
    if column is None:
        return WholeRead(query_of(sync, times))
    range_query = split_sync_query(sync, times)
    if sync.order_column:
        run = resume_state or ResumeState(times, fingerprint_of(sync.query), column)
        return OrderedRead(run, range_query, save)
    run = resume_state or begin_partitioned_run(session, sync, times, range_query, on_count)
    return PartitionedRead(run, range_query, save, only=partition)


def begin_partitioned_run(
    session: Session,
    sync: SyncSettings,
    times: SyncTimes,
    range_query: RangeQuery,
    on_count: Callable[[int], None] = lambda _: None,
) -> ResumeState:
    """A new run of a partitioned sync. Raises QueryFailed if its column cannot be split."""
    partitions = _plan_partitions(session, sync, range_query, on_count)
    column = str(sync.partition_column)
    return ResumeState(times, fingerprint_of(sync.query), column, partitions)


def _plan_partitions(
    session: Session,
    sync: SyncSettings,
    range_query: RangeQuery,
    on_count: Callable[[int], None],
) -> list[Partition]:
    """Query the extremes of the partition column, and split the range between them."""
    column = str(sync.partition_column)
    ((least, greatest, rows),) = session.fetch_all(
        range_query.extremes_query(column, counts=sync.partition_rows is not None)
    )
    if sync.partition_rows is not None:
        on_count(rows)
    count = sync.partitions or min(-(-rows // (sync.partition_rows or 1)), MAX_PARTITIONS)
    if least is None:
        return [Partition(KeyRange())]
    try:
        ranges = split_range(to_key_value(least), to_key_value(greatest), count)
    except ValueError as error:
        raise QueryFailed(f"`partition_column` {column} cannot be split: it is {error}.") from error
    return [Partition(each) for each in ranges]
