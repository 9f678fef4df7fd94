"""Collects the errors of a run: the syncs that failed, and what ended the run early."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from program_kit.exit_codes import worst_exit_code
from program_kit.humane import count_of
from tap_mssql_query.errors import ConfigurationError, ServerError, TapError

if TYPE_CHECKING:
    from tap_mssql_query.errors import Interrupted, OutputClosed

_KINDS: dict[int, type[TapError]] = {
    kind.exit_code: kind for kind in (TapError, ServerError, ConfigurationError)
}

DATABASE_FAILED = "Its database cannot be reached, as above."
"""For each further sync of a database that was tried: the reason is logged once."""


class RunErrors:
    """A failed sync keeps its bookmark, and the other syncs still run."""

    def __init__(self) -> None:
        self._exit_codes: dict[str, int] = {}
        self._end: TapError | None = None

    def add_failure(self, sync: str, error: Exception) -> None:
        """Record that a sync failed; an exception that is no TapError is a bug."""
        self._exit_codes[sync] = error.exit_code if isinstance(error, TapError) else 1

    def end_run(self, error: Interrupted | OutputClosed) -> None:
        """Record what ends the run: no further sync starts."""
        self._end = error

    def __contains__(self, sync: str) -> bool:
        """Whether the sync failed."""
        return sync in self._exit_codes

    @property
    def has_ended_run(self) -> bool:
        """Whether no further sync may start."""
        return self._end is not None

    def raise_if_failed(self, failure: str = "") -> None:
        """Raise what ended the run, or else one error for all failed syncs, if there are any.

        `failure` says what they did, if that is not that they failed.

        Its exit code is the worst of all: see `program_kit/exit_codes.py`.
        """
        if self._end is not None:
            raise self._end
        if not self._exit_codes:
            return
        names = sorted(self._exit_codes)
        keep = "keeps its bookmark" if len(names) == 1 else "keep their bookmarks"
        failure = failure or f"failed and {keep}"
        kind = _KINDS[worst_exit_code(self._exit_codes.values())]
        raise kind(f"{count_of(len(names), 'sync')} {failure}: {', '.join(names)}.")


def describe_failure(error: Exception) -> str:
    """Why a sync failed. Of a bug only its kind and place: its text may hold a row's values."""
    if isinstance(error, TapError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "tap_mssql_query" in Path(frame.filename).parts]
    places = dict.fromkeys(
        f"{'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno}"
        for frame in (*own[-1:], *frames[-1:])
    )
    place = f" at {', '.join(places)}" if places else ""
    return f"{type(error).__name__}{place}. This is a bug of the tap: report it with this line."
