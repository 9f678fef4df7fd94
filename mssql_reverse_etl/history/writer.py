"""Writes to the history of a project. No failure of the history is one of the run: it is said."""

from __future__ import annotations

import logging
import sqlite3
from typing import TYPE_CHECKING, TypeVar

from mssql_reverse_etl.history.database import (
    DamagedHistory,
    NewerHistory,
    open_to_write,
    set_aside,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

_T = TypeVar("_T")

logger = logging.getLogger(__name__)


class HistoryWriter:
    """Writes to the history at a path; without one, nothing."""

    def __init__(self, path: Path | None, now: Callable[[], datetime]) -> None:
        self._path = path
        self._now = now
        self._has_warned = False

    def write(self, action: Callable[[sqlite3.Connection], _T]) -> _T | None:
        """Run an action in one transaction; its result, or None if it could not be written.

        A damaged history is put aside, and the action runs on a new one.
        """
        if self._path is None:
            return None
        try:
            try:
                return _write(self._path, action)
            except DamagedHistory as damage:
                self._set_aside(self._path, damage)
                return _write(self._path, action)
        except NewerHistory as error:
            self._path = None
            logger.warning("%s This run is not written to it.", error)
        except (DamagedHistory, sqlite3.Error, OSError) as error:
            self._warn(self._path, error)
        return None

    def _set_aside(self, path: Path, damage: DamagedHistory) -> None:
        aside = set_aside(path, self._now())
        logger.warning(
            "The history %s is damaged (%s). It was renamed to %s, and a new one begins.",
            path,
            damage,
            aside.name,
        )

    def _warn(self, path: Path, error: Exception) -> None:
        if self._has_warned:
            return
        self._has_warned = True
        logger.warning(
            "The history %s cannot be written (%s); the run goes on without it. Let this user "
            "write to the file and its folder, and see that the disk has room.",
            path,
            getattr(error, "strerror", None) or error,
        )


def _write(path: Path, action: Callable[[sqlite3.Connection], _T]) -> _T:
    with open_to_write(path) as connection:
        return action(connection)
