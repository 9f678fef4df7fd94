"""Reads the history for the commands that show it."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.errors import UsageError
from mssql_reverse_etl.history.database import DamagedHistory, open_to_read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    Row = Mapping[str, Any]

_TIMES = ("started_at", "ended_at", "last_sync_time", "sync_time")
_NUMBERS = (
    *("run_id", "exit_code", "rows_read", "added", "changed", "removed", "delivered"),
    *("filtered", "rejected", "requests", "retries", "bytes_sent", "calls", "status"),
)
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    **dict.fromkeys(_NUMBERS, int),
    **dict.fromkeys((*_TIMES, "message", "sync", "outcome", "call_type", "trigger"), str),
    "seconds": (int, float),
}
_WITH_TIMES = "SELECT s.*, r.started_at, r.ended_at FROM sync_runs s JOIN runs r USING (run_id)"

logger = logging.getLogger(__name__)


class HistoryReader:
    """Reads the history; without a connection, it has nothing."""

    def __init__(self, connection: sqlite3.Connection | None) -> None:
        self._connection = connection

    def last_run_of(self, sync: str) -> Row | None:
        """The last run in which a sync was due and not locked, with the run's times."""
        rows = self._select(
            f"{_WITH_TIMES} WHERE sync = ? AND outcome NOT IN ('not_due', 'locked') "
            "ORDER BY run_id DESC LIMIT 1",
            sync,
        )
        return next(iter(rows), None)

    def unfinished_since(self) -> str | None:
        """When the last run started that has no end."""
        rows = self._select(
            "SELECT started_at FROM runs WHERE ended_at IS NULL AND message = '' "
            "ORDER BY run_id DESC LIMIT 1"
        )
        return next((row["started_at"] for row in rows), None)

    def runs(self, count: int) -> Sequence[Row]:
        """The last runs, the newest first."""
        return self._select("SELECT * FROM runs ORDER BY run_id DESC LIMIT ?", count)

    def runs_of(self, sync: str, count: int) -> Sequence[Row]:
        """The last runs of a sync, the newest first, with the runs' times."""
        return self._select(
            f"{_WITH_TIMES} WHERE sync = ? ORDER BY run_id DESC LIMIT ?", sync, count
        )

    def outcomes_of(self, run_id: int) -> Mapping[str, int]:
        """How many syncs of a run had each outcome."""
        rows = self._select(
            "SELECT outcome, count(*) AS syncs FROM sync_runs WHERE run_id = ? GROUP BY outcome",
            run_id,
        )
        return {row["outcome"]: row["syncs"] for row in rows}

    def sync_names(self) -> Sequence[str]:
        """All syncs with a run."""
        return [row["sync"] for row in self._select("SELECT DISTINCT sync FROM sync_runs")]

    def _select(self, statement: str, *values: Any) -> Sequence[Row]:
        if self._connection is None:
            return []
        rows = [dict(row) for row in self._connection.execute(statement, values)]
        for row in rows:
            _check(row)
        return rows


def _check(row: Row) -> None:
    """Raise DamagedHistory for a value that no writer makes."""
    for column, value in row.items():
        is_right = value is None or isinstance(value, _TYPES.get(column, (str, int, float)))
        if is_right and column in _TIMES and value is not None:
            try:
                datetime.fromisoformat(value)
            except ValueError:
                is_right = False
        if not is_right:
            raise DamagedHistory(f"column {column} has a value of another kind")


@contextlib.contextmanager
def reading_history(path: Path) -> Iterator[HistoryReader]:
    """The history at a path; it is empty if there is none, and with a warning if it is damaged.

    Raises NewerHistory, or UsageError if it cannot be read.
    """
    with contextlib.ExitStack() as stack:
        try:
            connection = stack.enter_context(open_to_read(path))
        except FileNotFoundError:
            connection = None
        except DamagedHistory as damage:
            logger.warning(
                "The history %s is damaged (%s). The next run puts it aside and begins a new one.",
                path,
                damage,
            )
            connection = None
        except (sqlite3.Error, OSError) as error:
            raise _unreadable(path, error) from error
        try:
            yield HistoryReader(connection)
        except DamagedHistory as damage:
            raise UsageError(
                f"The history {path} is damaged ({damage}). Move it away: the next run begins a "
                "new one."
            ) from damage
        except sqlite3.Error as error:
            raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> UsageError:
    reason = getattr(error, "strerror", None) or error
    return UsageError(f"The history {path} cannot be read ({reason}). Let this user read it.")
