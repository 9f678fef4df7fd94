"""SyncRun: one run of one sync, from the connection to the bookmark. Free of singer-sdk."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from program_kit.events import IS_OUTCOME
from program_kit.progress import Progress
from tap_mssql_query.encoding.singer_json import dump_message
from tap_mssql_query.errors import Interrupted, OutputClosed, QueryFailed
from tap_mssql_query.mssql.app_lock import acquire_sync_lock
from tap_mssql_query.mssql.code_pages import check_code_pages
from tap_mssql_query.mssql.connect import server_time
from tap_mssql_query.mssql.describe import describe_result
from tap_mssql_query.mssql.prefetch import prefetch
from tap_mssql_query.mssql.transient_errors import retry_transient_errors
from tap_mssql_query.sql.template import DATETIME_VARIABLES, find_variables, fingerprint_of
from tap_mssql_query.sync import bookmarks
from tap_mssql_query.sync.comparisons import check_comparisons
from tap_mssql_query.sync.query import query_of
from tap_mssql_query.sync.read_strategy import (
    WholeRead,
    choose_strategy,
    find_partitioned_run,
    find_resume_state,
)
from tap_mssql_query.sync.renames import find_missed_renaming, former_name_of
from tap_mssql_query.sync.report import Outcome, SyncReport
from tap_mssql_query.sync.resume_state import finish_run, write_resume_state
from tap_mssql_query.sync.run_errors import DATABASE_FAILED, describe_failure
from tap_mssql_query.sync.unclear_columns import describe_unclear
from tap_mssql_query.sync.window import find_window

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable, Sequence

    from program_kit.findings import Finding
    from tap_mssql_query.encoding.columns import Column
    from tap_mssql_query.mssql.session import Session
    from tap_mssql_query.settings.model import SyncSettings
    from tap_mssql_query.sql.select_only import SelectQuery
    from tap_mssql_query.sql.template import SyncTimes
    from tap_mssql_query.sync.context import Lines, MessageFormat, RunContext
    from tap_mssql_query.sync.read_strategy import ReadStrategy
    from tap_mssql_query.sync.resume_state import ResumeState


class SyncRun:
    """Runs a sync once."""

    def __init__(
        self,
        sync: SyncSettings,
        context: RunContext,
        message_format: MessageFormat,
        logger: logging.Logger,
    ) -> None:
        self._sync = sync
        self._context = context
        self._format = message_format
        self._logger = logger
        self._report = SyncReport()
        self._has_saved_progress = False
        self._has_unsaved_rows = False
        self._started_at = 0
        self._total: int | None = None

    def run(self) -> None:
        """Run the sync; an error is recorded in the context, so that the other syncs still run."""
        if self._context.errors.has_ended_run:
            return
        self._report = self._context.report.start(self._sync.name)
        try:
            if error := self._context.connections.failure_of(self._sync.database):
                self._fail(error, DATABASE_FAILED)
            else:
                self._run_with_retries()
        except (Interrupted, OutputClosed) as end:
            self._context.errors.end_run(end)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other syncs can run
            self._fail(error, describe_failure(error))
        finally:
            self._report.end()

    def _fail(self, error: Exception, reason: str) -> None:
        self._report.fail(reason)
        self._logger.error("sync=%s failed: %s", self._sync.name, reason, extra=IS_OUTCOME)
        self._context.errors.add_failure(self._sync.name, error)

    def _run_with_retries(self) -> None:
        """Retry transient errors as long as no row was written since the last STATE."""
        retry_transient_errors(
            self._run_once,
            may_retry=lambda: not self._has_unsaved_rows,
            on_retry=lambda error, delay: self._logger.warning(
                "sync=%s: %s Trying again in %.1f s.", self._sync.name, error, delay
            ),
        )

    def _run_once(self) -> None:
        with contextlib.closing(self._open_session()) as session:
            now = server_time(session)
            if self._sync.name in self._context.options.start_now:
                self._start_now(session, now)
                return
            resume_state = self._find_resume_state(now)
            times = resume_state.times if resume_state else self._find_window(now)
            self._started_at = resume_state.times.sync_time if resume_state else now
            if times is None:
                self._report.outcome = Outcome.NOT_DUE
                self._logger.info("sync=%s skipped: not due yet", self._sync.name)
            elif not self._has_lock(session):
                self._skip_locked()
            else:
                self._read(session, times, resume_state)

    def _open_session(self) -> Session:
        return self._context.connections.open(self._sync.database)

    def _find_resume_state(self, now: int) -> ResumeState | None:
        """The interrupted run to resume, if there is one. Raises StateError."""
        options = self._context.options
        is_new_resync = self._sync.name in options.resync and not self._has_saved_progress
        if not self._moves_bookmark or is_new_resync:
            return None
        state = self._context.state
        if options.partition is not None:
            return find_partitioned_run(self._sync, state, options.partition, now=now)
        return find_resume_state(self._sync, state, now=now, log=self._logger.warning)

    def _find_window(self, now: int) -> SyncTimes | None:
        times = find_window(self._sync, self._context.options, self._context.state, now=now)
        behind = bookmarks.read_last_sync_time(self._context.state, self._sync.name) - now
        if times is not None and behind > 0:
            self._logger.warning(
                "sync=%s: the server's clock is %d s behind the bookmark, as after a failover. The "
                "last %d s before the bookmark are read again (`clock_tolerance_seconds`).",
                self._sync.name,
                behind,
                self._sync.database.clock_tolerance_seconds,
            )
        return times

    def _has_lock(self, session: Session) -> bool:
        """Take the sync's lock; with `--locked` the caller holds it."""
        name = self._sync.name
        return name in self._context.options.locked or acquire_sync_lock(session, name)

    def _read(self, session: Session, times: SyncTimes, resume_state: ResumeState | None) -> None:
        """Read the rows; move the bookmark if nothing of the run is left to read."""
        self._report.last_sync_time = times.last_sync_time
        self._report.sync_time = times.sync_time
        self._warn_if_query_changed()
        is_new = not bookmarks.is_of_query(
            self._context.state, self._sync.name, fingerprint_of(self._sync.query)
        )
        if is_new and DATETIME_VARIABLES & set(find_variables(self._sync.query)):
            self._warn(check_comparisons(session, self._sync))
        settings, state = self._context.settings, self._context.state
        if problem := find_missed_renaming(self._sync, settings.syncs, state):
            self._logger.warning("sync=%s: %s", self._sync.name, problem)
        strategy = self._choose_strategy(session, times, resume_state)
        for query in strategy.queries():
            self._copy_rows(session, query, times, strategy)
        if is_new and self._limit is None:  # the limit stays in the session
            self._warn_of_texts(session, times)
        if strategy.is_complete and self._moves_bookmark:
            self._move_bookmark(times.sync_time)
        self._report.outcome = Outcome.READ

    @property
    def _limit(self) -> int | None:
        """The most rows to read: that of the command line, or the SDK's for a connection test."""
        return self._context.options.limit or self._format.max_records

    @property
    def _moves_bookmark(self) -> bool:
        """Whether the bookmark moves once all rows are read, and the state has the progress."""
        return self._context.options.moves_bookmarks and self._limit is None

    def _choose_strategy(
        self, session: Session, times: SyncTimes, resume_state: ResumeState | None
    ) -> ReadStrategy:
        """How to read the rows: with a limit all at once, as nothing will be resumed."""
        if self._limit is not None:
            return WholeRead(query_of(self._sync, times))
        return choose_strategy(
            session,
            self._sync,
            times,
            resume_state,
            self._save_progress,
            partition=self._context.options.partition,
            on_count=self._show_count,
        )

    def _show_count(self, rows: int) -> None:
        """Keep how many rows there are; say how many calls a first run is about to send."""
        self._total = rows
        name = self._sync.name
        if not bookmarks.has_run(self._context.state, name):
            self._logger.info("sync=%s is about to send %d calls in its first run", name, rows)

    def _start_now(self, session: Session, now: int) -> None:
        """Move the bookmark to now without reading rows, as --start-now asks for."""
        if not self._has_lock(session):
            self._skip_locked()
            return
        self._write_first_state()
        self._move_bookmark(now)
        self._report.sync_time = now
        self._report.outcome = Outcome.READ
        self._logger.info("sync=%s starts now: its bookmark is %d", self._sync.name, now)

    def _skip_locked(self) -> None:
        self._report.outcome = Outcome.LOCKED
        self._logger.warning(
            "sync=%s skipped: another run of it is in progress; the next run catches up",
            self._sync.name,
        )

    def _save_progress(self, resume_state: ResumeState) -> None:
        """Write a STATE with the progress so far; a retry resumes from it."""
        if self._moves_bookmark:
            self._write_first_state()
            self._has_saved_progress = True
            write_resume_state(self._context.state, self._sync.name, resume_state)
            self._context.write_state()
            self._has_unsaved_rows = False

    def _move_bookmark(self, sync_time: int) -> None:
        fingerprint = fingerprint_of(self._sync.query)
        state, name = self._context.state, self._sync.name
        finish_run(state, name, sync_time=sync_time, fingerprint=fingerprint)
        self._context.write_state()

    def _warn_if_query_changed(self) -> None:
        name = self._sync.name
        fingerprint = fingerprint_of(self._sync.query)
        if bookmarks.has_other_query(self._context.state, name, fingerprint):
            self._logger.warning(
                "sync=%s: its query has changed. Unchanged rows are not read again; to read them, "
                "run once with --resync %s.",
                name,
                name,
            )

    def _warn_of_texts(self, session: Session, times: SyncTimes) -> None:
        """Name columns that arrive as other characters; at the end, since a server may take long.

        A query that cannot be described, or not in time, is right for all that is known.
        """
        with contextlib.suppress(QueryFailed):
            self._warn(check_code_pages(describe_result(session, query_of(self._sync, times))))

    def _warn(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self._logger.warning("sync=%s: %s", self._sync.name, finding.message)

    def _copy_rows(
        self, session: Session, query: SelectQuery, times: SyncTimes, strategy: ReadStrategy
    ) -> None:
        """Write SCHEMA and all rows, up to the limit, at which the server stops."""
        # Imported late: loading pyarrow takes longer than a run in which no sync is due.
        from tap_mssql_query.encoding.arrow_columns import columns_of_arrow_schema  # noqa: PLC0415
        from tap_mssql_query.sync.row_writer import RowWriter  # noqa: PLC0415

        started = time.monotonic()
        name = self._sync.name
        progress = Progress(
            name, self._logger, tells_parent=True, before=self._report.rows, total=self._total
        )
        writer = RowWriter(
            name,
            self._format,
            self._write_rows,
            progress=progress,
            count_rows=self._report.count_rows,
            limit=self._limit,
            logger=self._logger,
        )
        rows_read = prefetch(
            session.read(query, limit=self._limit or 0), seconds=session.row_timeout_seconds
        )
        with contextlib.closing(rows_read) as blocks:
            result = next(blocks).schema
            columns = columns_of_arrow_schema(result, self._sync.json_columns)
            described = describe_unclear(columns, result, query, self._open_session)
            self._write_schema(described, times, strategy)
            rows = writer.write(blocks, columns, strategy)
        self._logger.info(
            "sync=%s type=%s rows=%d seconds=%.3f last_sync_time=%d sync_time=%d",
            name,
            self._sync.type,
            rows,
            time.monotonic() - started,
            times.last_sync_time,
            times.sync_time,
        )

    def _write_rows(self, lines: Lines) -> None:
        self._has_unsaved_rows = True
        self._context.write_lines(lines)

    def _write_first_state(self) -> None:
        """Write the STATE that the run was given, unless it was written already.

        If a stream fails in the target, the target puts back its bookmark from there. Without a
        bookmark that moves there is none: another target would print it, and a log of states would
        end with an empty one.
        """
        if self._context.options.moves_bookmarks:
            self._context.write_state()

    def _write_schema(
        self, columns: Sequence[Column], times: SyncTimes, strategy: ReadStrategy
    ) -> None:
        former_name = former_name_of(self._sync, self._context.state)
        renamed = {"x-renamed-from": former_name} if former_name else {}
        limited = {"x-limit": self._limit} if self._limit is not None else {}
        backfill = {"x-backfill": True} if self._context.options.is_backfill else {}
        messages = list(self._format.schema_messages(columns))
        self._write_first_state()
        for message in messages:
            schema = {
                **message["schema"],
                "x-call-type": self._sync.type,
                "x-last-sync-time": times.last_sync_time,
                "x-sync-time": self._started_at,
                **strategy.schema_keywords,
                **renamed,
                **limited,
                **backfill,
            }
            self._context.write_lines(dump_message({**message, "schema": schema}))
