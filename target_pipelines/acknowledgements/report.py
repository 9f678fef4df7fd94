"""Counts of a run by stream: the summary on stderr and in `report_path`."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from rich.table import Table

from program_kit import report_file
from program_kit.console import cell, print_line, summary_console
from target_pipelines.acknowledgements.stream_report import DELIVERED, StreamReport
from target_pipelines.api.errors import ConfigurationError, TooManyRejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from target_pipelines.acknowledgements.stream_report import Rejections
    from target_pipelines.api.errors import PipelinesError

REJECTED, FAILED = "rejected", "failed"
INTERRUPTED = "interrupted"
"""The outcomes of a stream beside `DELIVERED`; `rejected`: it failed by too many rejected rows."""

_COUNTS = ("read", "delivered", "filtered", "rejected", "discarded")
_MAX_LATENCIES = 100_000  # the first requests; a run of 10 million calls makes fewer


class RunReport:
    """Counts of a run; safe to use from many threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._lock = threading.Lock()
        self._streams: dict[str, StreamReport] = {}
        self.requests = 0
        self.retries = 0
        self.sent_bytes = 0
        self._latencies: list[float] = []

    def start_stream(self, stream: str, call_type: str) -> None:
        """Count a stream from now on; a repeated call changes nothing."""
        with self._lock:
            if stream not in self._streams:
                self._streams[stream] = StreamReport(call_type, self._clock())

    def add_read(self, stream: str, count: int) -> None:
        """Count records that were read."""
        with self._lock:
            self._streams[stream].read += count

    def add_filtered(self, stream: str, count: int = 1) -> None:
        """Count records that were filtered out."""
        with self._lock:
            self._streams[stream].filtered += count

    def add_discarded(self, stream: str, count: int) -> None:
        """Count records of a failed stream that were read and not sent."""
        with self._lock:
            self._streams[stream].discarded += count

    def discard(self, stream: str, count: int) -> None:
        """Count records of a failed stream, perhaps one without a SCHEMA, as read and discarded."""
        self.start_stream(stream, "")
        self.add_read(stream, count)
        self.add_discarded(stream, count)

    def set_failure(self, stream: str, error: PipelinesError) -> None:
        """Say that a stream failed, and why."""
        self.start_stream(stream, "")
        with self._lock:
            report = self._streams[stream]
            report.outcome = REJECTED if isinstance(error, TooManyRejected) else FAILED
            report.message = str(error)

    def set_unfinished(self, stream: str, *, is_limited: bool = False) -> None:
        """Say that a stream's rejected rows left no dead letters, as its bookmark did not move.

        That is a success if the tap was asked for the first rows alone.
        """
        with self._lock:
            report = self._streams[stream]
            if report.outcome == DELIVERED and report.rejected and is_limited:
                report.message = (
                    "With --limit no bookmark moves. The next run reads these rows again, so no "
                    "dead letters were kept."
                )
            elif report.outcome == DELIVERED and report.rejected:
                report.outcome = INTERRUPTED
                report.message = (
                    "The tap did not move the bookmark. The next run reads these rows again, so no "
                    "dead letters were kept. The tap's log has the cause."
                )

    def set_end(self, outcome: str, message: str) -> None:
        """Say how the run ended for the streams with records that are not settled."""
        with self._lock:
            for report in self._streams.values():
                if report.outcome == DELIVERED and not report.is_settled:
                    report.outcome, report.message = outcome, message

    def add_delivered(self, stream: str, count: int) -> None:
        """Count calls that were delivered."""
        with self._lock:
            report = self._streams[stream]
            report.delivered += count
            report.seconds = self._clock() - report.started

    def add_same_row(self, stream: str) -> None:
        """Count a letter of a replay as delivered with another one of the same row."""
        with self._lock:
            report = self._streams[stream]
            report.read += 1
            report.delivered += 1
            report.same_rows += 1

    def add_rejected(self, stream: str, rejection: Rejections) -> None:
        """Count a dead letter."""
        with self._lock:
            report = self._streams[stream]
            report.rejected += 1
            report.rejections[rejection] += 1
            report.seconds = self._clock() - report.started

    def add_attempt(self, sent_bytes: Mapping[str, int], seconds: float, *, is_retry: bool) -> None:
        """Count a request, its bytes by stream, and how long it took until a response or error."""
        with self._lock:
            self.requests += 1
            self.retries += is_retry
            for stream, size in sent_bytes.items():
                report = self._streams[stream]
                report.requests += 1
                report.retries += is_retry
                report.sent_bytes += size
                self.sent_bytes += size
            if len(self._latencies) < _MAX_LATENCIES:
                self._latencies.append(seconds)

    def add(self, other: RunReport) -> None:
        """Add the counts of a worker process."""
        with self._lock:
            for name, entry in other._streams.items():
                own = self._streams.setdefault(name, StreamReport(entry.call_type, entry.started))
                own.started = min(own.started, entry.started)
                own.read += entry.read
                own.delivered += entry.delivered
                own.filtered += entry.filtered
                own.rejected += entry.rejected
                own.discarded += entry.discarded
                own.call_type = own.call_type or entry.call_type
                own.requests += entry.requests
                own.retries += entry.retries
                own.sent_bytes += entry.sent_bytes
                own.rejections += entry.rejections
                own.seconds = max(own.seconds, entry.seconds)
            self.requests += other.requests
            self.retries += other.retries
            self.sent_bytes += other.sent_bytes
            room = _MAX_LATENCIES - len(self._latencies)
            self._latencies += other._latencies[:room]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())

    @property
    def read(self) -> int:
        """Number of records read so far."""
        return sum(report.read for report in self._streams.values())

    @property
    def delivered(self) -> int:
        """Number of calls delivered so far."""
        return sum(report.delivered for report in self._streams.values())

    @property
    def settled(self) -> int:
        """Number of records settled so far."""
        return sum(report.settled for report in self._streams.values())

    def count_streams(self) -> Mapping[str, Mapping[str, int]]:
        """The counts of each stream so far."""
        with self._lock:
            return {
                name: {count: getattr(report, count) for count in _COUNTS}
                for name, report in self._streams.items()
            }

    def count_read(self, stream: str) -> int:
        """Number of records of a stream read so far; of all streams, if it is empty."""
        return self._streams[stream].read if stream else self.read

    @property
    def is_settled(self) -> bool:
        """Whether rows read = delivered + rejected + filtered + discarded, in every stream."""
        return all(report.is_settled for report in self._streams.values())

    def to_json(self) -> dict[str, Any]:
        """The summary as plain values."""
        return {
            "seconds": round(self._clock() - self._started, 3),
            "requests": self.requests,
            "retries": self.retries,
            "sent_bytes": self.sent_bytes,
            "latency_seconds": self._percentiles(),
            "streams": {name: report.to_json() for name, report in self._streams.items()},
        }

    def _percentiles(self) -> dict[str, float]:
        """Request latency in seconds: percentiles 50, 95 and 99, and the maximum."""
        if not self._latencies:
            return {}
        ordered = sorted(self._latencies)
        return {
            name: round(ordered[min(int(len(ordered) * share), len(ordered) - 1)], 3)
            for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))
        }

    def print_summary(self, dead_letter_path: str, title: str | None = None) -> None:
        """Print the summary as a table on stderr, with the reasons of rejections and a remedy."""
        console = summary_console()
        if title:
            print_line(console, f"{title}:")
        table = Table("stream", "call type", "outcome", box=None)
        for heading in (*_COUNTS, "seconds"):
            table.add_column(heading, justify="right")
        for name, entry in self._streams.items():
            row = [f"{getattr(entry, count):,}" for count in _COUNTS]
            table.add_row(
                cell(name), cell(entry.call_type), entry.outcome, *row, f"{entry.seconds:.1f}"
            )
        console.print(table)
        same_rows = sum(entry.same_rows for entry in self._streams.values())
        console.print(
            f"{self.delivered - same_rows:,} API calls in "
            f"{self.requests:,} requests ({self.retries:,} retried), {self.sent_bytes:,} bytes, "
            f"{self._clock() - self._started:.1f} s",
            highlight=False,
        )
        for name, entry in self._streams.items():
            for reason, count in entry.reasons.most_common(5):
                print_line(console, f"{name}: {count:,} rejected: {reason}")
            if entry.same_rows:
                text = f"{entry.same_rows:,} letters were of the same rows as others"
                print_line(console, f"{name}: {text} and became no events of their own")
            if entry.outcome == DELIVERED and entry.message:
                print_line(console, f"{name}: {entry.message}")
        for remedy in self._remedies(dead_letter_path):
            print_line(console, remedy)

    def _remedies(self, dead_letter_path: str) -> Iterator[str]:
        """The commands to type for rejected rows, after the correction of their cause."""
        entries = {
            name: each
            for name, each in self._streams.items()
            if each.outcome == DELIVERED and not each.message
        }
        if queries := [name for name, entry in entries.items() if entry.kinds["query"]]:
            options = " ".join(f"--resync {name}" for name in queries)
            yield f"After a correction of the query: mssql-reverse-etl run … {options}"
        if any(entry.kinds["settings"] + entry.kinds["destination"] for entry in entries.values()):
            yield (
                "After a correction of the settings or at the destination: "
                f"target-pipelines --config … --replay {dead_letter_path}"
            )


def print_summaries(reports: Mapping[str, RunReport], dead_letter_paths: Mapping[str, str]) -> None:
    """Print the summary of each destination that read any record, by name."""
    for name, report in reports.items():
        if report.read:
            with contextlib.suppress(OSError):  # a full disk under stderr must not end the run
                report.print_summary(dead_letter_paths[name], name if len(reports) > 1 else None)


def write_report(
    reports: Mapping[str, RunReport],
    path: Path,
    ending: BaseException | None,
    *,
    is_replay: bool = False,
) -> None:
    """Write the summary as JSON; with several destinations, as `destinations` by name.

    Args:
        reports: by destination; empty if the run could not start.
        path: where to write it.
        ending: the error that ends the run.
        is_replay: whether the run sent dead letters again.

    Raises ConfigurationError, unless another error is ending the run already.
    """
    entries = {name: {"destination": name, **report.to_json()} for name, report in reports.items()}
    if len(entries) > 1:
        summary = {"destinations": entries}
    else:
        summary = next(iter(entries.values()), {"streams": {}})
    end = report_file.describe_end(ending)
    if is_replay:
        end["is_replay"] = True
    try:
        report_file.write_report(path, {**end, **summary})
    except OSError as error:
        problem = f"Setting `report_path`: {path} cannot be written ({error.strerror}). Correct it."
        if ending is None:
            raise ConfigurationError(problem) from error
        sys.stderr.write(f"{problem}\n")
