"""Opens the history's SQLite file: creates it, and says what is wrong with one that is there."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.errors import UsageError
from mssql_reverse_etl.history.tables import STATEMENTS, TABLES, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

_BUSY_SECONDS = 5.0
_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_BASE_CODE = 0xFF
"""The lowest byte of an extended result code is the code itself. Source: SQLite, "Result Codes"."""


class DamagedHistory(Exception):  # noqa: N818 - reads as what it is
    """The file is no history: no SQLite file, or without a table or column of one."""


class NewerHistory(UsageError):  # noqa: N818 - reads as what it is
    """A newer version wrote the history; this one cannot know what it means."""

    def __init__(self, path: Path, version: int) -> None:
        super().__init__(
            f"The history {path} was written by a newer version of mssql-reverse-etl (its version "
            f"is {version}, this one knows {VERSION}). Update mssql-reverse-etl."
        )


@contextlib.contextmanager
def open_to_write(path: Path) -> Iterator[sqlite3.Connection]:
    """The history, created if there is none, in one transaction.

    Raises DamagedHistory, NewerHistory, sqlite3.Error or OSError.
    """
    path.parent.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE))
    with _connected(path, "rw") as connection:
        connection.execute("BEGIN IMMEDIATE")
        if _find_version(connection, path) == 0:
            for statement in STATEMENTS:
                connection.execute(statement)
        yield connection
        connection.execute("COMMIT")


@contextlib.contextmanager
def open_to_read(path: Path) -> Iterator[sqlite3.Connection]:
    """The history, whose rows are mappings by column.

    Raises FileNotFoundError, DamagedHistory, NewerHistory or sqlite3.Error.
    """
    if not path.exists() or not path.stat().st_size:
        raise FileNotFoundError(path)
    # A run that was killed within a write left what only a writer can undo.
    mode = "rw" if os.access(path.parent, os.W_OK) and os.access(path, os.W_OK) else "ro"
    with _connected(path, mode) as connection:
        if _find_version(connection, path) == 0:
            raise FileNotFoundError(path)
        connection.row_factory = sqlite3.Row
        connection.text_factory = lambda text: text.decode(errors="replace")
        yield connection


def set_aside(path: Path, now: datetime) -> Path:
    """Rename a damaged history, with the journal that belongs to it. Raises OSError."""
    aside = path.with_name(f"{path.name}.damaged-{now:%Y%m%dT%H%M%SZ}")
    with contextlib.suppress(FileNotFoundError):
        _journal_of(path).rename(_journal_of(aside))
    path.rename(aside)
    return aside


def _journal_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-journal")


@contextlib.contextmanager
def _connected(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    with _recognising_damage():
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
        )
        with contextlib.closing(connection):
            yield connection


@contextlib.contextmanager
def _recognising_damage() -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & _BASE_CODE in _DAMAGED:
            raise DamagedHistory(str(error)) from error
        raise


def _find_version(connection: sqlite3.Connection, path: Path) -> int:
    """Its version; 0 if it has nothing yet. Raises DamagedHistory or NewerHistory."""
    version: Any = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise NewerHistory(path, version)
    found = {table: _columns_of(connection, table) for table in TABLES}
    if version == 0 and not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return 0
    for table, columns in TABLES.items():
        if missing := [column for column in columns if column not in found[table]]:
            raise DamagedHistory(f"table {table} lacks {', '.join(missing)}")
    return int(version)


def _columns_of(connection: sqlite3.Connection, table: str) -> set[str]:
    rows = connection.execute("SELECT name FROM pragma_table_info(?)", [table])
    return {name for (name,) in rows}
