"""What a run says at its end, however it ends: the summary, and the report at `report_path`."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from program_kit import events
from program_kit.report_file import find_report_problem, remove_report, report_path_of
from target_pipelines.acknowledgements.report import (
    FAILED,
    INTERRUPTED,
    RunReport,
    print_summaries,
    write_report,
)
from target_pipelines.api.errors import ConfigurationError, Interrupted, PipelinesError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from target_pipelines.acknowledgements.stream_failures import StreamFailures
    from target_pipelines.run.configuration import Configuration


class Reports(dict[str, RunReport]):
    """The report of each destination by its name; empty before there is a configuration.

    Attributes:
        dead_letter_paths: where the dead letters of each destination are.
        is_replay: whether dead letters are sent again.
    """

    def __init__(self, *, is_replay: bool = False) -> None:
        super().__init__()
        self.is_replay = is_replay
        self.dead_letter_paths: dict[str, str] = {}

    def open(self, configuration: Configuration) -> None:
        """Add an empty report for each destination."""
        for settings in configuration.destinations:
            self[settings.destination_name] = RunReport()
            self.dead_letter_paths[settings.destination_name] = settings.dead_letter_path


def measure_progress(reports: Mapping[str, RunReport]) -> Mapping[str, Any]:
    """What was settled so far, for a parent that shows it: the counts of all destinations."""
    streams: dict[str, Counter[str]] = {}
    for report in reports.values():
        for name, counts in report.count_streams().items():
            streams.setdefault(name, Counter()).update(counts)
    return {"streams": streams, "retries": sum(report.retries for report in reports.values())}


def outlook_of_run(reports: Mapping[str, RunReport]) -> str:
    """What an interrupted run has settled, and what the next one does."""
    read = max((report.read for report in reports.values()), default=0)
    settled = min((report.settled for report in reports.values()), default=0)
    return (
        f"{settled:,} of {read:,} rows read were settled. The next run continues from the last "
        "STATE on stdout, and sends again what it does not cover."
    )


def outlook_of_replay(reports: Mapping[str, RunReport]) -> str:
    """What an interrupted replay has settled, and what the next one does."""
    delivered = sum(report.delivered for report in reports.values())
    return (
        f"{delivered:,} dead letters were delivered. The file is unchanged: the next replay sends "
        "all of them again."
    )


def read_delivered_at(path: Path | None) -> Mapping[str, float]:
    """When the run ended that left a report, for each stream that it delivered; unix seconds.

    Empty if there is no such report, or if a replay has left it.
    """
    if path is None or not path.is_file():
        return {}
    with contextlib.suppress(OSError, ValueError, AttributeError, KeyError, TypeError):
        report = json.loads(path.read_text(encoding="utf-8"))
        if not report.get("is_replay"):
            ended_at = datetime.fromisoformat(report["ended_at"]).timestamp()
            parts = report.get("destinations", {"": report}).values()
            streams = [item for part in parts for item in part["streams"].items()]
            return {name: ended_at for name, entry in streams if entry["delivered"]}
    return {}


@contextmanager
def reporting(
    config: Mapping[str, Any],
    reports: Reports,
    failures: StreamFailures,
    outlook: Callable[[Mapping[str, RunReport]], str],
) -> Iterator[None]:
    """Report at the end of the block, whether or not it fails; remove the old report before it.

    The block may fail before there is a configuration, or any report in `reports`.
    """
    path = report_path_of(config)
    if problem := find_report_problem(path):
        raise ConfigurationError(problem)
    remove_report(path)
    ending: BaseException | None = None
    try:
        yield
    except Interrupted as end:
        ending = Interrupted(end.signal_number, outlook(reports))
        raise ending from end
    except BaseException as error:
        ending = error
        raise
    finally:
        _set_outcomes(reports, failures, ending)
        if not events.are_wanted():
            print_summaries(reports, reports.dead_letter_paths)
        if path is not None:
            write_report(reports, path, ending, is_replay=reports.is_replay)


def _set_outcomes(
    reports: Mapping[str, RunReport], failures: StreamFailures, ending: BaseException | None
) -> None:
    outcome = INTERRUPTED if isinstance(ending, Interrupted) else FAILED
    message = str(ending) if isinstance(ending, PipelinesError) else ""
    for report in reports.values():
        if ending is not None:
            report.set_end(outcome, message)
        for stream in failures.unfinished:
            report.set_unfinished(stream, is_limited=stream in failures.limited)
        for stream, error in failures.errors.items():
            report.set_failure(stream, error)
