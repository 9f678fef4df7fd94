"""Records a run from before its project is read until its end, however it ends."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.errors import Interrupted
from mssql_reverse_etl.history import KEEP_DAYS
from mssql_reverse_etl.history.run_record import RunRecord
from mssql_reverse_etl.project.folder import ProjectFolder
from mssql_reverse_etl.results.summary import Summary
from program_kit.errors import ProgramError
from program_kit.signals import on_stop_signals

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from mssql_reverse_etl.project.loading import Project
    from mssql_reverse_etl.results.outcomes import SyncResult


@contextlib.contextmanager
def recording(path: Path, *, trigger: str) -> Iterator[RunRecord]:
    """Record the run of the block in the history of the project file at `path`, if there is one.

    A stop signal raises Interrupted, until the block handles signals itself.
    """
    record = RunRecord(ProjectFolder(path).history if path.is_file() else None, trigger=trigger)
    on_stop_signals(_interrupt)
    try:
        record.begin()
        yield record
    except ProgramError as error:
        record.end(error.exit_code, str(error))
        raise
    except BaseException as error:
        # The text of an unexpected exception may hold values.
        name = type(error).__name__
        record.end(ProgramError.exit_code, f"{name}: this is a bug; its traceback is in the log.")
        raise
    record.end(record.exit_code)


def describe_project(record: RunRecord, project: Project, names: Sequence[str]) -> None:
    """Tell the record what a valid project says: the syncs of the run, and how long to keep it."""
    record.keep_days = project.history.get("keep_days", KEEP_DAYS)
    record.name_syncs(
        {
            sync["name"]: sync["type"]
            for sync in project.tap["syncs"]
            if sync.get("enabled", True) and (not names or sync["name"] in names)
        }
    )


class RecordedSummary(Summary):
    """A summary that passes all it learns on to the record of the run."""

    def __init__(self, record: RunRecord) -> None:
        super().__init__()
        self._record = record

    def add(self, tap_report: Mapping[str, Any], target_report: Mapping[str, Any]) -> None:
        """Add the counts of one run of both programs."""
        super().add(tap_report, target_report)
        self._record.add(tap_report, target_report)

    def add_retried(self, target_report: Mapping[str, Any]) -> None:
        """Add what became of the rejected calls that were sent again."""
        super().add_retried(target_report)
        self._record.add_retried(target_report, self.retried.counts)

    def set_result(self, sync: str, result: SyncResult) -> None:
        """Set the outcome of a sync."""
        super().set_result(sync, result)
        self._record.set_result(sync, result)


def _interrupt(signal_number: int) -> None:
    raise Interrupted(signal_number)
