"""Collects the errors of a run: the syncs that failed, and what ended the run early."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_mssql_query.errors import ServerError, StateError

if TYPE_CHECKING:
    from tap_mssql_query.errors import Interrupted, OutputClosed, TapError


class RunErrors:
    """A failed sync keeps its bookmark, and the other syncs still run."""

    def __init__(self) -> None:
        self._failures: dict[str, TapError] = {}
        self._end: TapError | None = None

    def add_failure(self, sync: str, error: TapError) -> None:
        """Record that a sync failed."""
        self._failures[sync] = error

    def end_run(self, error: Interrupted | OutputClosed) -> None:
        """Record what ends the run: no further sync starts."""
        self._end = error

    @property
    def has_ended_run(self) -> bool:
        """Whether no further sync may start."""
        return self._end is not None

    def raise_any(self) -> None:
        """Raise what ended the run, or else one error for all failed syncs, if there are any."""
        if self._end is not None:
            raise self._end
        if not self._failures:
            return
        names = ", ".join(sorted(self._failures))
        message = f"{len(self._failures)} syncs failed and keep their bookmarks: {names}."
        if any(isinstance(error, ServerError) for error in self._failures.values()):
            raise ServerError(message)
        raise StateError(message)
