"""QueryStream: one sync, from its query to its STATE.

A thin adapter to singer-sdk: the SDK keeps discovery, selection, stream maps and state; reading
and writing rows is ours, block by block.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, cast

from singer_sdk.streams import Stream

from tap_mssql_query.encoding.columns import (
    Column,
    find_name_problems,
    json_schema_of_records,
    kind_of_sql_type,
    mark_json,
)
from tap_mssql_query.encoding.singer_json import dump_message
from tap_mssql_query.errors import (
    Interrupted,
    OutputClosed,
    QueryFailed,
    ServerError,
    StateError,
)
from tap_mssql_query.mssql.app_lock import take_run_lock
from tap_mssql_query.mssql.connect import connect, server_time
from tap_mssql_query.mssql.describe import describe_result
from tap_mssql_query.mssql.prefetch import read_ahead
from tap_mssql_query.mssql.transient_errors import run_again
from tap_mssql_query.sql.select_only import refuse_writing
from tap_mssql_query.sql.template import SyncTimes, fingerprint_of, render_query
from tap_mssql_query.sync import bookmarks
from tap_mssql_query.sync.read_strategy import find_unfinished, plan_reading
from tap_mssql_query.sync.report import Outcome, SyncReport
from tap_mssql_query.sync.resume_state import finish, write_unfinished
from tap_mssql_query.sync.window import find_window

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    import pyarrow as pa
    from singer_sdk.mapper import StreamMap

    from tap_mssql_query.mssql.session import Session
    from tap_mssql_query.settings.model import SyncSettings
    from tap_mssql_query.sync.read_strategy import Reading
    from tap_mssql_query.sync.resume_state import Unfinished
    from tap_mssql_query.tap import TapMSSQLQuery


class QueryStream(Stream):
    """The stream of one sync."""

    _tap: TapMSSQLQuery

    def __init__(self, tap: TapMSSQLQuery, sync: SyncSettings) -> None:
        super().__init__(tap, name=sync.name)
        self.sync_settings = sync
        self.primary_keys = sync.key_columns
        self.has_written_rows = False
        self.has_begun = False
        self.report = SyncReport()

    # What the SDK asks of a stream

    @property
    def schema(self) -> dict[str, Any]:
        """Schema of the running query's result; before a run, as the server describes it."""
        if self._schema is None:
            self._use_columns(self._describe())
        assert self._schema is not None  # noqa: S101 - set by _use_columns
        return self._schema

    @property
    def stream_maps(self) -> list[StreamMap]:
        """The user's stream maps, set up when the schema is known rather than at the start."""
        if not self._stream_maps:
            mapper = self._tap.mapper
            mapper.register_raw_stream_schema(self.name, self.schema, self.primary_keys)
            self._stream_maps = mapper.stream_maps[self.name]
        return self._stream_maps

    @property
    def has_catalog(self) -> bool:
        """Whether the user gave a catalog, which selects streams and columns."""
        return self._tap.input_catalog is not None

    @property
    def selected(self) -> bool:
        """Whether the sync is enabled and the catalog, if there is one, selects it."""
        locked = self._tap.run_options.locked
        if not self.sync_settings.enabled or (locked and self.name not in locked):
            return False
        return not self.has_catalog or bool(self.mask.get((), True))

    @selected.setter
    def selected(self, value: bool | None) -> None:
        self.metadata.root.selected = value
        self._mask = self.metadata.resolve_selection()

    def _write_schema_message(self) -> None:
        """Nothing yet: SCHEMA goes out with the first block, which shows the real columns."""

    def _write_state_message(self) -> None:
        """Nothing: STATE goes out only when a bookmark moves, in `_move_bookmark`."""

    def _sync_records(
        self,
        context: Mapping[str, Any] | None = None,  # noqa: ARG002 - the SDK's signature
        *,
        write_messages: bool = True,  # noqa: ARG002
    ) -> Generator[dict[str, Any], Any, Any]:
        """Run the sync; a sync that fails is remembered, so that the others go on.

        What ends the whole run is remembered too: raised here, the SDK would call it a bug.
        """
        if self._tap.is_ending:
            return
        self.report = self._tap.report.start(self.name)
        try:
            self._run()
        except (ServerError, StateError) as error:
            self.report.outcome = Outcome.FAILED
            self._tap.add_failure(self.name, error)
        except (Interrupted, OutputClosed) as end:
            self._tap.end(end)
        finally:
            self.report.end()
        yield from ()

    def get_records(self, context: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:  # noqa: ARG002
        """None: rows leave block by block, not one by one through the SDK."""
        return iter(())

    # One run

    def _run(self) -> None:
        """Run the sync; again after an error that passes, while no row has left the process."""
        run_again(
            self._run_once,
            may_run_again=lambda: not self.has_written_rows,
            say=lambda error, pause: self.logger.warning(
                "sync=%s: %s Trying again in %.1f s.", self.name, error, pause
            ),
        )

    def _run_once(self) -> None:
        sync, options = self.sync_settings, self._tap.run_options
        with contextlib.closing(connect(sync.database, self._tap.settings)) as session:
            now = server_time(session)
            unfinished = self._find_unfinished(now)
            times = (
                unfinished.times
                if unfinished
                else find_window(sync, options, self.tap_state, now=now)
            )
            if times is None:
                self.report.outcome = Outcome.NOT_DUE
                self.logger.info("sync=%s skipped: not due yet", self.name)
                return
            if self.name not in options.locked and not take_run_lock(session, self.name):
                self.report.outcome = Outcome.LOCKED
                self.logger.warning(
                    "sync=%s skipped: another run of it is not over; the next one catches up",
                    self.name,
                )
                return
            self.report.last_sync_time = times.last_sync_time
            self.report.sync_time = times.sync_time
            self._say_if_query_changed()
            reading = plan_reading(session, sync, times, unfinished, self._keep)
            for sql in reading.queries():
                if not self._copy_rows(session, sql, times, reading):
                    return
            if not options.is_backfill:
                self._move_bookmark(times.sync_time)
            self.report.outcome = Outcome.READ

    def _find_unfinished(self, now: int) -> Unfinished | None:
        """The run that was cut short, if this one is to go on with it. Raises StateError."""
        options = self._tap.run_options
        if options.is_backfill or (self.name in options.resync and not self.has_begun):
            return None
        return find_unfinished(self.sync_settings, self.tap_state, now=now, say=self.logger.warning)

    @property
    def _state(self) -> dict[str, Any]:
        """The tap's state, to be changed."""
        return cast("dict[str, Any]", self.tap_state)

    def _keep(self, unfinished: Unfinished) -> None:
        """Tell in a STATE how far this run came: what fails now is gone on with from there."""
        if not self._tap.run_options.is_backfill:
            self.has_begun = True
            write_unfinished(self._state, self.name, unfinished)
            self._tap.state_writer.write_state(self.tap_state)
            self.has_written_rows = False

    def _say_if_query_changed(self) -> None:
        fingerprint = fingerprint_of(self.sync_settings.query)
        if bookmarks.has_other_query(self.tap_state, self.name, fingerprint):
            self.logger.warning(
                "sync=%s: its query has changed. Rows that do not change are not read again: run "
                "once with --resync %s if they should be.",
                self.name,
                self.name,
            )

    def _copy_rows(self, session: Session, sql: str, times: SyncTimes, reading: Reading) -> bool:
        """Write SCHEMA and all rows; False if a record limit of the SDK cut them short."""
        # Only when there are rows to read: pyarrow takes longer to load than a sync that is not
        # due takes to find that out.
        from tap_mssql_query.encoding.arrow_columns import columns_of_arrow_schema  # noqa: PLC0415
        from tap_mssql_query.sync.row_writer import write_rows  # noqa: PLC0415

        started = time.monotonic()
        refuse_writing(sql)
        rows_read = read_ahead(session.read(sql), seconds=session.rows_seconds)
        with contextlib.closing(rows_read) as blocks:
            columns = columns_of_arrow_schema(next(blocks).schema, self.sync_settings.json_columns)
            self._start_writing(columns, times)
            rows, is_complete = write_rows(self, blocks, columns, reading.note_block)
        self.report.rows += rows
        self.logger.info(
            "sync=%s type=%s rows=%d seconds=%.3f last_sync_time=%d sync_time=%d",
            self.name,
            self.sync_settings.type,
            rows,
            time.monotonic() - started,
            times.last_sync_time,
            times.sync_time,
        )
        return is_complete

    def _start_writing(self, columns: Sequence[Column], times: SyncTimes) -> None:
        self._use_columns(columns)
        for message in self._generate_schema_messages():
            fields = message.to_dict()
            fields["schema"] = {
                **fields["schema"],
                "x-call-type": self.sync_settings.type,
                "x-last-sync-time": times.last_sync_time,
            }
            self.write_lines(dump_message(fields))

    def write_lines(self, lines: bytes | pa.Buffer) -> None:
        """Write encoded Singer messages to stdout."""
        self._tap.write_lines(lines)

    # Columns

    def _describe(self) -> list[Column]:
        """The columns of the query, from the server, without running it."""
        sync = self.sync_settings
        with contextlib.closing(connect(sync.database, self._tap.settings)) as session:
            sql = render_query(sync.query, SyncTimes(0, server_time(session)))
            return [
                mark_json(Column(column.name, kind_of_sql_type(column.sql_type)), sync.json_columns)
                for column in describe_result(session, sql)
            ]

    def _use_columns(self, columns: Sequence[Column]) -> None:
        """Take the columns as the stream's schema. Raises QueryFailed if they cannot be."""
        names = [column.name for column in columns]
        problems = find_name_problems(names)
        problems += [
            f"Key column {key} is not in the result."
            for key in self.sync_settings.key_columns
            if key not in names
        ]
        if problems:
            raise QueryFailed(" ".join(problems))
        self._schema = json_schema_of_records(columns)

    def _move_bookmark(self, sync_time: int) -> None:
        fingerprint = fingerprint_of(self.sync_settings.query)
        finish(self._state, self.name, sync_time=sync_time, fingerprint=fingerprint)
        self._tap.state_writer.write_state(self.tap_state)
