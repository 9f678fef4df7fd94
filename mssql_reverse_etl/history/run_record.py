"""What the history keeps of one run, from its start to its end."""

from __future__ import annotations

from datetime import timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.errors import AlreadyRunning, ReverseETLError
from mssql_reverse_etl.history.sync_runs import SyncRun
from mssql_reverse_etl.history.tables import TABLES
from mssql_reverse_etl.history.writer import HistoryWriter
from mssql_reverse_etl.results.outcomes import SyncOutcome, SyncResult
from mssql_reverse_etl.results.times import time_text, utc_now
from program_kit.humane import count_of
from program_kit.signals import STOP_SIGNALS, is_signal_exit_code, signal_exit_code, signal_name

if TYPE_CHECKING:
    import sqlite3
    from collections import Counter
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

KILLED = "The run was killed, or its machine stopped: it did not write its end."
_NOT_DUE_DAYS = 1
_SIGNALS = {signal_exit_code(number): number for number in STOP_SIGNALS}


class RunRecord:
    """One run in the history of its project; without a path, nothing is written.

    Attributes:
        exit_code: that of the run, once it is known.
        keep_days: how long runs are kept; None, for a project that cannot be read: all of them.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        trigger: str = "command",
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.exit_code = ReverseETLError.exit_code
        self.keep_days: int | None = None
        self._writer = HistoryWriter(path, now)
        self._trigger = trigger
        self._now = now
        self._started_at = time_text(now())
        self._run_id: int | None = None
        self._syncs: dict[str, SyncRun] = {}
        self._note = ""

    def begin(self) -> None:
        """Add the run, without an end."""
        self._run_id = self._writer.write(self._insert)

    def close_killed(self) -> None:
        """Say of earlier runs without an end that they were killed; the state's lock is held."""
        self._writer.write(
            lambda connection: connection.execute(
                "UPDATE runs SET message = ? WHERE ended_at IS NULL AND message = '' "
                "AND run_id < ?",
                [KILLED, self._run_id],
            )
        )

    def name_syncs(self, syncs: Mapping[str, str]) -> None:
        """The enabled syncs of the run, with their call types."""
        self._syncs = {name: SyncRun(name, call_type) for name, call_type in syncs.items()}

    def add(self, tap_report: Mapping[str, Any], target_report: Mapping[str, Any]) -> None:
        """Add the counts of one run of both programs."""
        for sync in self._syncs.values():
            sync.add(tap_report, target_report)

    def add_retried(self, target_report: Mapping[str, Any], counts: Counter[str]) -> None:
        """Add the requests of rejected calls that were sent again; they are no rows of the run."""
        for sync in self._syncs.values():
            sync.add_requests(target_report)
        if total := counts.total():
            accepted = counts["delivered"]
            self._note = f"{count_of(total, 'rejected call')} sent again, {accepted:,} accepted."

    def set_result(self, sync: str, result: SyncResult) -> None:
        """Set the outcome of a sync."""
        if sync in self._syncs:
            self._syncs[sync].result = result

    def end(self, exit_code: int, message: str = "") -> None:
        """Write the end of the run and its syncs; remove what is too old."""
        message = " ".join(filter(None, [message or self._describe_end(exit_code), self._note]))

        def write(connection: sqlite3.Connection) -> None:
            run_id = self._update(connection, exit_code, message)
            for sync in self._syncs.values():
                _insert_row(
                    connection, "sync_runs", sync.row(run_id, _fallback(exit_code, message))
                )
                for row in sync.rejections(run_id):
                    _insert_row(connection, "rejections", row)
            if self.keep_days is not None:
                _remove_old(connection, run_id, now=self._now(), keep_days=self.keep_days)

        self._writer.write(write)

    def _insert(self, connection: sqlite3.Connection) -> int:
        cursor = connection.execute(
            'INSERT INTO runs (started_at, "trigger", version) VALUES (?, ?, ?)',
            [self._started_at, self._trigger, version("mssql-reverse-etl")],
        )
        return int(cursor.lastrowid or 0)

    def _update(self, connection: sqlite3.Connection, exit_code: int, message: str) -> int:
        """Set the end of the run, whose row may be missing: the history may be a new one."""
        end = [time_text(self._now()), exit_code, message]
        statement = "UPDATE runs SET ended_at = ?, exit_code = ?, message = ? WHERE run_id = ?"
        own = f"{statement} AND started_at = ?"
        if connection.execute(own, [*end, self._run_id, self._started_at]).rowcount:
            return self._run_id or 0
        run_id = self._insert(connection)
        connection.execute(statement, [*end, run_id])
        return run_id

    def _describe_end(self, exit_code: int) -> str:
        """Why a run failed that raised no error."""
        if exit_code in _SIGNALS:
            return f"Interrupted by {signal_name(_SIGNALS[exit_code])}."
        reasons = [f"{name}: {text}" for name, text in self._failures()]
        if not exit_code or not reasons:
            return ""
        more = f" {len(reasons) - 1} more of its syncs failed." if len(reasons) > 1 else ""
        return reasons[0] + more

    def _failures(self) -> Iterator[tuple[str, str]]:
        for name, sync in self._syncs.items():
            result = sync.result
            if result and result.message and result.outcome != SyncOutcome.LOCKED:
                yield name, result.message


def _fallback(exit_code: int, message: str) -> SyncResult:
    """The outcome of a sync for which the run had none."""
    if exit_code == 0:
        return SyncResult(SyncOutcome.DELIVERED)
    if exit_code == AlreadyRunning.exit_code:
        return SyncResult(SyncOutcome.LOCKED, message)
    is_signal = is_signal_exit_code(exit_code)
    return SyncResult(SyncOutcome.INTERRUPTED if is_signal else SyncOutcome.FAILED, message)


def _insert_row(connection: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    columns = ", ".join(TABLES[table])
    values = ", ".join(f":{column}" for column in TABLES[table])
    connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({values})", row)  # noqa: S608 - constants


def _remove_old(
    connection: sqlite3.Connection, run_id: int, *, now: datetime, keep_days: int
) -> None:
    """Remove older runs but this one, and what was not due longer than a day ago."""
    oldest = time_text(now - timedelta(days=keep_days))
    for table in ("rejections", "sync_runs", "runs"):
        connection.execute(
            f"DELETE FROM {table} WHERE run_id IN "  # noqa: S608 - a constant
            "(SELECT run_id FROM runs WHERE started_at < ? AND run_id != ?)",
            [oldest, run_id],
        )
    connection.execute(
        "DELETE FROM sync_runs WHERE outcome = 'not_due' AND run_id IN "
        "(SELECT run_id FROM runs WHERE started_at < ?)",
        [time_text(now - timedelta(days=_NOT_DUE_DAYS))],
    )
