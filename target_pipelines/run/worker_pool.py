"""Splits a run over worker processes: the records of one person go to one worker, in order.

A worker gets all SCHEMAs, and each STATE as its number, which it prints when that is safe.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any
from zlib import crc32

from program_kit.progress import Progress
from target_pipelines.acknowledgements.acks import WorkerAcks
from target_pipelines.api.errors import PipelinesError
from target_pipelines.encoding.ordering_keys import People
from target_pipelines.run.worker import Worker, split_limits
from target_pipelines.singer.messages import group_records, parse_message, stream_of_record
from target_pipelines.singer.streams import Stream, check_record, parse_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_pipelines.acknowledgements.acks import State
    from target_pipelines.acknowledgements.report import RunReport
    from target_pipelines.run.configuration import Configuration

_POLL_SECONDS = 0.1
_LANE_BITS = 16  # a worker chooses lanes by the low bits; chosen by the same, most would stay empty

logger = logging.getLogger(__name__)


class WorkerPool:
    """One run over several processes; to the outside like a `Pipeline`.

    Attributes:
        message_counts: how many messages have come, by type.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        reports: Mapping[str, RunReport],
        write_state: Callable[[State], None],
        check_interrupted: Callable[[], None],
    ) -> None:
        self._configuration = configuration
        self._reports = reports
        self._check_interrupted = check_interrupted
        self._acks = WorkerAcks(configuration.settings.processes, write_state)
        self._workers: list[Worker] = []
        self._outboxes: list[list[bytes]] = []
        self._listeners: list[threading.Thread] = []
        self._failure: BaseException | None = None
        self._people: dict[str, People] = {}
        self._streams: dict[str, Stream] = {}
        self._line_number = 0
        self._progress = Progress("all", logger)
        self.message_counts: Counter[str] = Counter()

    def start(self) -> None:
        """Start the workers; before any thread, as a fork takes none along."""
        count = self._configuration.settings.processes
        share = split_limits(self._configuration, count)
        for number in range(count):
            self._workers.append(Worker(number, share, earlier=self._workers))
        self._outboxes = [[] for _ in self._workers]
        self._listeners = [
            threading.Thread(target=self._listen, args=(number, worker), daemon=True)
            for number, worker in enumerate(self._workers)
        ]
        for listener in self._listeners:
            listener.start()

    def process(self, block: bytes) -> None:
        """Take a block of lines. Raises PipelinesError."""
        try:
            for group in group_records(block.splitlines(keepends=True)):
                if not self._split_records(group):
                    for line in group:
                        self._line_number += 1
                        if not line.isspace():
                            self._split_message(parse_message(line, self._line_number), line)
        finally:  # what was read before a bad line is good
            self._flush()

    def drain(self) -> None:
        """Wait until every record that was read is settled. Raises PipelinesError."""
        for worker in self._workers:
            worker.end_input()
        for listener in self._listeners:
            while listener.is_alive():
                listener.join(_POLL_SECONDS)
                self._check()
        self._check()
        self._merge_reports()

    def finish(self) -> None:
        """The input is at its end: settle everything, and count. Raises PipelinesError."""
        self.drain()
        read = self.message_counts["RECORD"]
        if any(report.read != read for report in self._reports.values()):
            raise PipelinesError(
                "The counts do not add up: the workers have not read what was read. This is a bug; "
                "the summary shows the stream."
            )

    def abandon(self) -> None:
        """The run ends early: what is in flight may end, nothing new begins."""
        for worker in self._workers:
            worker.stop()
        for worker in self._workers:
            worker.kill()
        for listener in self._listeners:
            listener.join()
        self._merge_reports()

    # The main thread's side

    def _split_message(self, message: dict[str, Any], line: bytes) -> None:
        self.message_counts[message["type"]] += 1
        match message["type"]:
            case "RECORD":
                stream = self._streams.get(message["stream"])
                stream = check_record(stream, message, self._line_number)
                person = self._people[stream.name].find(message["record"])
                self._outbox_of(person).append(line)
            case "SCHEMA":
                configuration = self._configuration
                stream = parse_schema(
                    message, configuration.plugins, configuration.settings.call_types
                )
                if self._streams.get(stream.name) != stream:
                    self._people[stream.name] = People(stream)
                self._streams[stream.name] = stream
                self._send_all(line)
            case "STATE":
                number = self._acks.add_state(message["value"])
                self._send_all(b'{"type":"STATE","value":{"number":%d}}\n' % number)
                self._flush()

    def _split_records(self, lines: Sequence[bytes]) -> bool:
        """Split lines that are records of one stream, if nothing is wrong with any of them."""
        people = self._people.get(stream_of_record(lines[0]) or "")
        names = people and people.find_all(lines)
        if not names:
            return False
        outboxes, count = self._outboxes, len(self._outboxes)
        for line, name in zip(lines, names, strict=True):
            outboxes[(crc32(name.encode()) >> _LANE_BITS) % count].append(line)
        self._line_number += len(lines)
        self.message_counts["RECORD"] += len(lines)
        return True

    def _outbox_of(self, person: str) -> list[bytes]:
        return self._outboxes[(crc32(person.encode()) >> _LANE_BITS) % len(self._outboxes)]

    def _send_all(self, line: bytes) -> None:
        for outbox in self._outboxes:
            outbox.append(line if line.endswith(b"\n") else line + b"\n")

    def _flush(self) -> None:
        outboxes, self._outboxes = self._outboxes, [[] for _ in self._workers]
        for worker, lines in zip(self._workers, outboxes, strict=True):
            worker.send(b"".join(lines), self._check)
        self._check()
        self._progress.show(self.message_counts["RECORD"])

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
        self._check_interrupted()

    def _merge_reports(self) -> None:
        for worker in self._workers:
            for name, report in worker.take_reports().items():
                self._reports[name].add(report)

    # A listener's side

    def _listen(self, number: int, worker: Worker) -> None:
        try:
            for state in worker.results():
                self._acks.settle(number, state)
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self._failure = self._failure or error
