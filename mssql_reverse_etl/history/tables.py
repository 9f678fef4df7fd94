"""The tables of the history. Their names and columns are a contract; see docs/history.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VERSION = 1
"""`PRAGMA user_version`."""

SYNC_RUN_COLUMNS = (
    *("run_id", "sync", "call_type", "outcome", "rows_read", "added", "changed", "removed"),
    *("delivered", "filtered", "rejected", "requests", "retries", "bytes_sent", "seconds"),
    *("last_sync_time", "sync_time", "message"),
)
TABLES: Mapping[str, Sequence[str]] = {
    "runs": (*("run_id", "started_at", "ended_at", "exit_code", "trigger", "version", "message"),),
    "sync_runs": SYNC_RUN_COLUMNS,
    "rejections": ("run_id", "sync", "destination", "reason", "status", "calls"),
}

STATEMENTS = (
    """
    CREATE TABLE runs (
        run_id INTEGER PRIMARY KEY AUTOINCREMENT,
        started_at TEXT NOT NULL,
        ended_at TEXT,
        exit_code INTEGER,
        "trigger" TEXT NOT NULL,
        version TEXT NOT NULL,
        message TEXT NOT NULL DEFAULT ''
    )
    """,
    """
    CREATE TABLE sync_runs (
        run_id INTEGER NOT NULL REFERENCES runs (run_id),
        sync TEXT NOT NULL,
        call_type TEXT NOT NULL,
        outcome TEXT NOT NULL,
        rows_read INTEGER NOT NULL,
        added INTEGER,
        changed INTEGER,
        removed INTEGER,
        delivered INTEGER NOT NULL,
        filtered INTEGER NOT NULL,
        rejected INTEGER NOT NULL,
        requests INTEGER NOT NULL,
        retries INTEGER NOT NULL,
        bytes_sent INTEGER NOT NULL,
        seconds REAL NOT NULL,
        last_sync_time TEXT,
        sync_time TEXT,
        message TEXT NOT NULL,
        PRIMARY KEY (run_id, sync)
    )
    """,
    "CREATE INDEX sync_runs_by_sync ON sync_runs (sync, run_id)",
    """
    CREATE TABLE rejections (
        run_id INTEGER NOT NULL REFERENCES runs (run_id),
        sync TEXT NOT NULL,
        destination TEXT NOT NULL,
        reason TEXT NOT NULL,
        status INTEGER,
        calls INTEGER NOT NULL
    )
    """,
    "CREATE INDEX rejections_by_run ON rejections (run_id)",
    f"PRAGMA user_version = {VERSION}",
)
