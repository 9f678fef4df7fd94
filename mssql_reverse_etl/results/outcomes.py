"""The outcome of each sync of a run, from both halves: what the tap read and what was delivered."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.results.target_report import streams_of
from program_kit.signals import is_signal_exit_code, signal_name
from tap_mssql_query.sync.report import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mssql_reverse_etl.programs.pipe import PipeResult

_NO_SIGNAL = 128


class SyncOutcome(StrEnum):
    """The outcome of a sync over both programs."""

    DELIVERED = "delivered"
    """All its rows are settled, and its bookmark has moved."""
    FAILED = "failed"
    REJECTED = "rejected"
    """It failed because too many of its rows were rejected."""
    NOT_DUE = "not due"
    LOCKED = "locked"
    """Another run of it is in progress."""
    INTERRUPTED = "interrupted"
    """A signal, or the lock of another sync that was lost, ended the run before its last row."""


FAILURES = frozenset({SyncOutcome.FAILED, SyncOutcome.REJECTED})


@dataclass(frozen=True, slots=True)
class SyncResult:
    """The outcome of a sync, and the reason if it is not a success."""

    outcome: SyncOutcome
    message: str = ""


_UNREAD = {
    Outcome.NOT_DUE: SyncResult(SyncOutcome.NOT_DUE),
    Outcome.LOCKED: SyncResult(SyncOutcome.LOCKED, "Another run of it is in progress."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcomes:
    """Joins the reports of both programs.

    Attributes:
        result: the ends of both programs.
        state: the state file after the run.
        is_interrupted: whether a signal or a lost lock asked the run to end.
        moves_bookmarks: whether the state tells what was settled.
    """

    result: PipeResult
    state: Mapping[str, Any] = field(default_factory=dict)
    is_interrupted: bool = False
    moves_bookmarks: bool = True

    def of(self, sync: str) -> SyncResult:
        """The outcome of a sync that the tap was asked to read."""
        entry = self.result.tap_report.get("syncs", {}).get(sync)
        if entry is None:
            return self._unreached()
        if entry["outcome"] in _UNREAD:
            return _UNREAD[entry["outcome"]]
        if entry["outcome"] == Outcome.FAILED:
            return SyncResult(SyncOutcome.FAILED, entry["message"])
        for _, stream in streams_of(self.result.target_report, sync):
            if stream["outcome"] in FAILURES:
                return SyncResult(SyncOutcome(stream["outcome"]), stream["message"])
        is_read = entry["outcome"] == Outcome.READ
        if self._has_moved(sync, entry) or (is_read and self._is_settled(sync, entry)):
            return SyncResult(SyncOutcome.DELIVERED)
        return self._ended_early()

    def find_lost_rows(self, sync: str) -> str:
        """What a target says that ended well, but got fewer rows than the tap wrote; or nothing.

        Its counts add up by themselves, so that only a bug, of a plugin perhaps, can be the cause.
        """
        entry = self.result.tap_report.get("syncs", {}).get(sync, {})
        if self.result.target_code or entry.get("outcome") != Outcome.READ:
            return ""
        read = [stream["read"] for _, stream in streams_of(self.result.target_report, sync)]
        if min(read, default=0) >= entry["rows"] or not self.result.target_report:
            return ""
        return (
            f"The target got {min(read, default=0)} of {entry['rows']} rows that the tap wrote. "
            f"This is a bug, perhaps of a plugin. Afterwards run once with --resync {sync}."
        )

    def _has_moved(self, sync: str, entry: Mapping[str, Any]) -> bool:
        """Whether the state covers all that the tap read of a sync."""
        bookmark = self.state.get("bookmarks", {}).get(sync, {})
        sync_time = entry["sync_time"]
        return sync_time is not None and bookmark.get("last_sync_time") == sync_time

    def _is_settled(self, sync: str, entry: Mapping[str, Any]) -> bool:
        """Whether all its rows are settled, without a bookmark that has moved."""
        if self.moves_bookmarks or self.result.target_code == 0:
            return self.result.target_code == 0
        streams = [stream for _, stream in streams_of(self.result.target_report, sync)]
        return not entry["rows"] or (
            bool(streams) and all(_settled(each) >= entry["rows"] for each in streams)
        )

    def _unreached(self) -> SyncResult:
        if self.is_interrupted:
            return SyncResult(SyncOutcome.INTERRUPTED, "It was not reached.")
        return self._ended_early()

    def _ended_early(self) -> SyncResult:
        if self.is_interrupted:
            return SyncResult(SyncOutcome.INTERRUPTED, "Not all of its rows were settled.")
        result = self.result
        if result.target_code:
            return _end_of("target", result.target_code, result.target_report)
        return _end_of("tap", result.tap_code, result.tap_report)


def _settled(stream: Mapping[str, Any]) -> int:
    return sum(stream.get(count, 0) for count in ("delivered", "filtered", "rejected"))


def describe_kill(program: str, signal_number: int) -> str:
    """That a signal ended a program."""
    return f"The {program} was ended by {signal_name(signal_number)}."


def _end_of(program: str, exit_code: int, report: Mapping[str, Any]) -> SyncResult:
    """What a program that ended early means for a sync: its own words, if it could report."""
    message = str(report.get("message", ""))
    if exit_code < 0 or is_signal_exit_code(exit_code):
        number = -exit_code if exit_code < 0 else exit_code - _NO_SIGNAL
        message = message or describe_kill(program, number)
        return SyncResult(SyncOutcome.INTERRUPTED, message)
    message = message or f"The {program} ended with exit code {exit_code}; its log says why."
    return SyncResult(SyncOutcome.FAILED, message)
