"""The outcome of each sync in a run: the JSON of `report_path`. Contains no row values."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from program_kit.report_file import describe_end, find_report_problem, remove_report, write_report
from tap_mssql_query.errors import ConfigurationError, TapError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

logger = logging.getLogger(__name__)


class Outcome(StrEnum):
    """The outcome of a sync."""

    READ = "read"
    """All its rows, or those of the one partition asked for, were written."""
    NOT_DUE = "not due"
    LOCKED = "locked"
    """Another run of it is still in progress."""
    INTERRUPTED = "interrupted"
    """The run ended before the sync did."""
    FAILED = "failed"


@dataclass(slots=True)
class SyncReport:
    """The outcome of one sync.

    Attributes:
        outcome: see `Outcome`.
        message: why it failed; otherwise empty.
        rows: the number of rows read so far.
        seconds: its duration.
        last_sync_time: the lower bound of its window, unix seconds; None before it is known.
        sync_time: the upper bound.
    """

    outcome: Outcome = Outcome.INTERRUPTED
    message: str = ""
    rows: int = 0
    seconds: float = 0.0
    last_sync_time: int | None = None
    sync_time: int | None = None
    _started: float = field(default_factory=time.monotonic, repr=False)

    def count_rows(self, count: int) -> None:
        """Count rows that were read."""
        self.rows += count

    def fail(self, message: str) -> None:
        """Record that the sync failed, and why."""
        self.outcome, self.message = Outcome.FAILED, message

    def end(self) -> None:
        """Record the end of the sync."""
        self.seconds = round(time.monotonic() - self._started, 3)

    def to_json(self) -> dict[str, Any]:
        """The entry of `report_path`."""
        return {
            "outcome": self.outcome.value,
            "message": self.message,
            "rows": self.rows,
            "seconds": self.seconds,
            "last_sync_time": self.last_sync_time,
            "sync_time": self.sync_time,
        }


class TapReport:
    """The outcomes of the syncs of a run; syncs that were not reached are missing."""

    def __init__(self) -> None:
        self._syncs: dict[str, SyncReport] = {}

    def start(self, sync: str) -> SyncReport:
        """Start the report of a sync."""
        self._syncs[sync] = SyncReport()
        return self._syncs[sync]

    @contextlib.contextmanager
    def written_to(self, path: Path | None) -> Iterator[None]:
        """Write the report at the end of the block, whether or not it fails.

        Raises ConfigurationError, unless another error ends the run.
        """
        remove_report(path)
        ending: BaseException | None = None
        try:
            yield
        except BaseException as error:
            ending = error
            raise
        finally:
            if path is not None:
                self._write(path, ending)

    def _write(self, path: Path, ending: BaseException | None) -> None:
        syncs = {name: report.to_json() for name, report in self._syncs.items()}
        try:
            write_report(path, {**describe_end(ending), "syncs": syncs})
        except OSError as error:
            problem = f"Setting `report_path`: {path} cannot be written ({error.strerror})."
            if ending is None:
                raise ConfigurationError(problem) from error
            logger.warning("%s", problem)


@contextlib.contextmanager
def reporting_failed_start(path: Path | None) -> Iterator[None]:
    """Write a report without syncs if the block, which starts a run, fails.

    Raises ConfigurationError if no report can be written.
    """
    if problem := find_report_problem(path):
        raise ConfigurationError(problem)
    remove_report(path)
    try:
        yield
    except TapError:
        with TapReport().written_to(path):
            raise


def add_failures(path: Path, problems: Mapping[str, str], exit_code: int) -> None:
    """Add syncs to a report of which the tap does not know that they failed, with the reasons.

    `exit_code` is that of the run. Without a report one is written, if that is possible.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        report = describe_end(None) | {"syncs": {}}
    for name, problem in problems.items():
        entry = report["syncs"].get(name) or SyncReport().to_json()
        report["syncs"][name] = {**entry, "outcome": Outcome.FAILED.value, "message": problem}
    message = "\n".join(filter(None, [report["message"], *dict.fromkeys(problems.values())]))
    with contextlib.suppress(OSError):  # the tap has said so
        write_report(path, report | {"exit_code": exit_code, "message": message})
