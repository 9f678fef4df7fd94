"""Splits a run over worker processes: each ordering key belongs to one worker.

Workers read every SCHEMA, and each STATE as its number, which they report when that STATE is safe.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from io import BytesIO
from typing import TYPE_CHECKING, Any
from zlib import crc32

from program_kit.progress import Progress
from target_pipelines.acknowledgements.acks import WorkerAcks
from target_pipelines.acknowledgements.dead_letters import encode_lines, letter_of_line
from target_pipelines.acknowledgements.state_writer import StateWriter
from target_pipelines.acknowledgements.stream_report import rejection_of
from target_pipelines.api.errors import PipelinesError
from target_pipelines.encoding.ordering_keys import OrderingKeys
from target_pipelines.run.bookkeeping import keep_rejected
from target_pipelines.run.worker import RejectedLines, StreamFailed, Worker, split_limits
from target_pipelines.singer.positions import add_position

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_pipelines.acknowledgements.acks import State
    from target_pipelines.acknowledgements.newer_calls import NewerCalls
    from target_pipelines.acknowledgements.report import RunReport
    from target_pipelines.acknowledgements.staged_dead_letters import StagedDeadLetters
    from target_pipelines.acknowledgements.stream_failures import StreamFailures
    from target_pipelines.run.configuration import Configuration
    from target_pipelines.singer.streams import Stream
    from target_pipelines.singer.unreadable import UnreadableRecord

_POLL_SECONDS = 0.1
_BARRIER = b'{"type":"STATE","value":{"number":%d,"x-barrier":true}}\n'
_BARRIER_SECONDS = 0.01
_STATE = b'{"type":"STATE","value":{"number":%d}}\n'
_LANE_BITS = 16
"""Low bits of the hash that choose a worker's lane; they must not choose the worker as well, or
most of its lanes would stay empty."""

logger = logging.getLogger(__name__)


class WorkerPool:
    """One run over several processes; the counterpart of a `Pipeline`."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        reports: Mapping[str, RunReport],
        failures: StreamFailures,
        newer_calls: Mapping[str, NewerCalls],
        write_state: Callable[[State], None],
        check_interrupted: Callable[[], None],
        staged: StagedDeadLetters | None = None,
    ) -> None:
        self._configuration = configuration
        self._reports = reports
        self._newer_calls = newer_calls
        self._check_interrupted = check_interrupted
        self._failures = failures
        failures.on_failure = self._tell_workers
        self._read: Counter[str] = Counter()
        self._rejected = keep_rejected(
            configuration,
            failures,
            lambda _destination, stream: self._read[stream] if stream else self._read.total(),
            staged,
            check_interrupted=check_interrupted,
        )
        letters = [rows.dead_letters for rows in self._rejected.values()]
        self._writer = StateWriter(write_state, failures, letters)
        self._acks = WorkerAcks(configuration.settings.processes, self._writer.write)
        self._workers: list[Worker] = []
        self._outboxes: list[list[bytes]] = []
        self._listeners: list[threading.Thread] = []
        self._failure: BaseException | None = None
        self._streams: dict[str, Stream] = {}
        self._ordering_keys: dict[str, OrderingKeys] = {}
        self._last_stream: Stream | None = None
        self._progress = Progress("all", logger)

    # The main thread's side

    def start(self) -> None:
        """Fork the workers; before any thread is started, since a fork copies no threads."""
        count = self._configuration.settings.processes
        configuration = split_limits(self._configuration, count)
        for number in range(count):
            worker = Worker(number, configuration, self._newer_calls, earlier=self._workers)
            self._workers.append(worker)
        self._outboxes = [[] for _ in self._workers]
        self._listeners = [
            threading.Thread(target=self._listen, args=(number, worker), daemon=True)
            for number, worker in enumerate(self._workers)
        ]
        for listener in self._listeners:
            listener.start()

    def handle_schema(self, stream: Stream, line: bytes) -> None:
        """Send a SCHEMA to all workers."""
        if self._streams.get(stream.name) != stream:
            self._streams[stream.name] = stream
            self._ordering_keys[stream.name] = OrderingKeys(stream)
        self._send_to_all(line)

    def handle_records(self, stream: Stream, block: bytes, positions: Sequence[int]) -> int:
        """Assign the RECORDs of these lines to workers; 0 if they must come one by one."""
        keys = self._ordering_keys[stream.name].find_all(block)
        lines = list(BytesIO(block))
        if not keys or len(keys) != len(lines):  # blank lines have no key
            return 0
        self._separate_aliases(stream)
        lines = list(map(add_position, lines, positions))
        outboxes, count = self._outboxes, len(self._outboxes)
        for line, key in zip(lines, keys, strict=True):
            outboxes[(crc32(key.encode()) >> _LANE_BITS) % count].append(line)
        self._read[stream.name] += len(lines)
        return len(lines)

    def handle_record(
        self, stream: Stream, record: dict[str, Any], line: bytes, position: int
    ) -> None:
        """Assign one RECORD to a worker."""
        self._separate_aliases(stream)
        key = self._ordering_keys[stream.name].find(record)
        outbox = self._outboxes[(crc32(key.encode()) >> _LANE_BITS) % len(self._outboxes)]
        outbox.append(add_position(line, position))
        self._read[stream.name] += 1

    def handle_unreadable(self, record: UnreadableRecord) -> None:
        """Keep a line that cannot be read as a dead letter of each destination."""
        self._read[record.stream] += 1
        for name, report in self._reports.items():
            letter = letter_of_line(record, name)
            report.start_stream(letter.stream, letter.call_type)
            report.add_read(letter.stream, 1)
            report.add_rejected(letter.stream, rejection_of(letter))
            (encoded,) = encode_lines([letter])
            self._rejected[name].add(letter.stream, self._acks.epoch, encoded, [letter.reason])

    def discard(self, stream: str, count: int) -> None:
        """Count RECORDs of a failed stream, without sending them to a worker."""
        self._read[stream] += count
        for report in self._reports.values():
            report.discard(stream, count)

    def handle_state(self, state: State) -> None:
        """Send the number of a STATE to all workers. Raises PipelinesError."""
        number = self._acks.add_state(state, is_first=not self._read)
        self._send_to_all(_STATE % number)
        self.flush()

    def _separate_aliases(self, stream: Stream) -> None:
        """Settle all calls between those of an alias stream and others.

        An alias is about two persons, which may belong to two workers. Raises PipelinesError.
        """
        before, self._last_stream = self._last_stream, stream
        if before is None or before.name == stream.name:
            return
        if before.is_alias or stream.is_alias:
            number = self._acks.add_barrier()
            self._send_to_all(_BARRIER % number)
            self.flush()
            while not self._acks.has_settled(number):
                time.sleep(_BARRIER_SECONDS)
                self._check()

    def flush(self) -> None:
        """Send the workers the lines that were assigned since the last flush.

        Raises PipelinesError.
        """
        outboxes, self._outboxes = self._outboxes, [[] for _ in self._workers]
        for worker, lines in zip(self._workers, outboxes, strict=True):
            worker.send(b"".join(lines), self._check)
        self._check()
        self._progress.show(self._read.total())

    def drain(self) -> None:
        """Wait until every record is settled. Raises PipelinesError."""
        for worker in self._workers:
            worker.end_input()
        for listener in self._listeners:
            while listener.is_alive():
                listener.join(_POLL_SECONDS)
                self._check()
        self._check()
        self._merge_reports()

    def finish(self) -> None:
        """The input has ended: settle everything and verify the counts. Raises PipelinesError."""
        self.drain()
        read = self._read.total()
        if not all(r.read == read and r.is_settled for r in self._reports.values()):
            raise PipelinesError(
                "The counts do not add up: the workers did not read all records of the input. This "
                "is a bug; the summary shows the stream."
            )
        self._writer.finish()

    def interrupt(self) -> None:
        """Start no new requests; called by another thread, and more than once."""
        for worker in self._workers:
            worker.interrupt()

    def abandon(self) -> None:
        """End early: let requests in flight end, start no new ones."""
        for worker in self._workers:
            worker.interrupt()
            worker.end_input()
        for worker in self._workers:
            worker.kill()
        for listener in self._listeners:
            listener.join()
        self._merge_reports()

    def _send_to_all(self, line: bytes) -> None:
        for outbox in self._outboxes:
            outbox.append(line if line.endswith(b"\n") else line + b"\n")

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
        self._check_interrupted()

    def _tell_workers(self, stream: str, error: PipelinesError) -> None:
        for worker in self._workers:
            worker.fail_stream(StreamFailed(stream, error))

    def _merge_reports(self) -> None:
        for worker in self._workers:
            for name, report in worker.take_reports().items():
                self._reports[name].add(report)
            for name, superseded in worker.take_superseded().items():
                self._newer_calls[name].superseded.update(superseded)

    # The side of a listener, which is a thread for each worker

    def _listen(self, number: int, worker: Worker) -> None:
        try:
            for message in worker.messages():
                match message:
                    case RejectedLines(destination, stream, epoch, lines, reasons):
                        self._rejected[destination].add(stream, epoch, lines, reasons)
                    case StreamFailed(stream, error):
                        self._failures.fail(stream, error)
                    case _:
                        self._acks.settle(number, message)
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            self._failure = self._failure or error
