"""A worker process: a pipeline for part of the records, and the parent's connection to it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import select
import signal
import sys
import threading
import traceback
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from program_kit.parent_process import set_parent_death_signal
from target_pipelines.acknowledgements.acks import Acks
from target_pipelines.acknowledgements.report import RunReport
from target_pipelines.acknowledgements.stream_failures import StreamFailures
from target_pipelines.api.errors import DeliveryError, Interrupted, PipelinesError
from target_pipelines.run.bookkeeping import Bookkeeping
from target_pipelines.run.build import build_pipeline
from target_pipelines.run.dispatch import Dispatcher
from target_pipelines.run.interruption import Interruption
from target_pipelines.run.lifecycle import running
from target_pipelines.singer.line_reader import read_blocks
from target_pipelines.singer.positions import SentPositions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from multiprocessing.connection import Connection

    from target_pipelines.acknowledgements.newer_calls import NewerCalls
    from target_pipelines.run.configuration import Configuration
    from target_pipelines.run.pipeline import Pipeline

_CONTEXT = multiprocessing.get_context("fork")  # inherits the settings and the loaded plugins
_POLL_SECONDS = 0.1
_END_SECONDS = 8.0  # longer than a pipeline waits for requests in flight


@dataclass(frozen=True, slots=True)
class RejectedLines:
    """Dead letters of one stream, as lines, for the parent to stage."""

    destination: str
    stream: str
    epoch: int
    lines: bytes
    reasons: Sequence[str]


@dataclass(frozen=True, slots=True)
class StreamFailed:
    """A stream has failed; sent in both directions."""

    stream: str
    error: PipelinesError


@dataclass(frozen=True, slots=True)
class _Ended:
    """The last message of a worker."""

    reports: Mapping[str, RunReport]
    superseded: Mapping[str, Collection[bytes]]
    error: PipelinesError | None


class Worker:
    """The parent's side of a worker process."""

    def __init__(
        self,
        number: int,
        configuration: Configuration,
        newer_calls: Mapping[str, NewerCalls],
        *,
        earlier: Sequence[Worker],
    ) -> None:
        self._reports: Mapping[str, RunReport] = {}
        self._superseded: Mapping[str, Collection[bytes]] = {}
        self._link, its_link = _CONTEXT.Pipe()
        self._link_lock = threading.Lock()
        its_input, self._input = os.pipe()
        self._process = _CONTEXT.Process(
            target=_work,
            args=(
                number,
                configuration,
                newer_calls,
                its_input,
                its_link,
                self._write_ends(earlier),
            ),
            name=f"worker-{number}",
            daemon=True,
        )
        self._process.start()
        os.close(its_input)
        its_link.close()
        os.set_blocking(self._input, False)

    def _write_ends(self, earlier: Sequence[Worker]) -> list[int]:
        """Write ends that a fork inherits and must close: an input ends with its last writer."""
        return [self._input, *(worker._input for worker in earlier)]  # noqa: SLF001 - its own class

    def send(self, lines: bytes, check: Callable[[], None]) -> None:
        """Send the worker lines of Singer messages; `check` may raise to end the wait.

        Discards the lines if the worker has ended; `messages` raises the reason.
        """
        view = memoryview(lines)
        while view:
            try:
                view = view[os.write(self._input, view) :]
            except BlockingIOError:
                check()
                select.select([], [self._input], [], _POLL_SECONDS)
            except BrokenPipeError:
                return

    def fail_stream(self, failure: StreamFailed) -> None:
        """Tell the worker that a stream has failed. Does nothing if the worker has ended."""
        with self._link_lock, contextlib.suppress(OSError):
            self._link.send(failure)

    def messages(self) -> Iterator[int | RejectedLines | StreamFailed]:
        """What the worker reports until it ends; an `int` is the number of a safe STATE.

        Raises what ended the worker.
        """
        error: PipelinesError | None = DeliveryError(
            f"The {self._process.name} process died; no state covers its records. Run it again."
        )
        with contextlib.suppress(EOFError, ConnectionResetError):
            while True:
                message = self._link.recv()
                if isinstance(message, _Ended):
                    self._reports, error = message.reports, message.error
                    self._superseded = message.superseded
                else:
                    yield message
        self._process.join()
        if error is not None:
            raise error

    def take_reports(self) -> Mapping[str, RunReport]:
        """The reports of a worker that has ended, by destination; a second call returns none."""
        reports, self._reports = self._reports, {}
        return reports

    def take_superseded(self) -> Mapping[str, Collection[bytes]]:
        """The superseded letters of each destination; a second call returns none."""
        superseded, self._superseded = self._superseded, {}
        return superseded

    def end_input(self) -> None:
        """Close the worker's input. Idempotent."""
        if self._input >= 0:
            os.close(self._input)
            self._input = -1

    def interrupt(self) -> None:
        """Ask the worker to start no new requests; from any thread."""
        if self._process.is_alive():
            self._process.terminate()

    def kill(self) -> None:
        """Wait for the worker to end; kill it if it takes too long."""
        self._process.join(_END_SECONDS)
        self._process.kill()
        self._process.join()


def split_limits(configuration: Configuration, count: int) -> Configuration:
    """The configuration of one of `count` workers: its share of the concurrency and the rate."""
    destinations = []
    for settings in configuration.destinations:
        destination = configuration.plugins.open_destination(settings)
        rate = settings.requests_per_second or destination.limits.requests_per_second
        destination.close()
        destinations.append(
            replace(
                settings,
                concurrency=max(settings.concurrency // count, 1),
                requests_per_second=rate and rate / count,
            )
        )
    return replace(configuration, destinations=destinations)


class _ParentLink:
    """A worker's side of its connection: the parent keeps the books, and knows the failures.

    Attributes:
        failures: the streams that have failed, here or elsewhere.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        # The parent decides whether the run must stop, so that no failure stops a worker.
        self.failures = StreamFailures(
            {}, lambda stream, error: self.send(StreamFailed(stream, error))
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def send(self, message: object) -> None:
        """Send a message to the parent."""
        with self._lock:
            self._connection.send(message)

    def keep_books(
        self, configuration: Configuration, newer_calls: Mapping[str, NewerCalls]
    ) -> Bookkeeping:
        """The bookkeeping of the worker's pipeline, which passes everything on to the parent."""
        names = [settings.destination_name for settings in configuration.destinations]
        return Bookkeeping(
            Acks(lambda state, _epoch: self.send(state["number"])),
            self.failures,
            {name: _SentRejections(name, self.send) for name in names},
            newer_calls,
            finish=lambda: None,
        )

    def _listen(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                failed: StreamFailed = self._connection.recv()
                self.failures.note(failed.stream, failed.error)


@dataclass(frozen=True, slots=True)
class _SentRejections:
    """Sends the dead letters of one destination to the parent."""

    destination: str
    send: Callable[[object], None]

    def add(self, stream: str, epoch: int, lines: bytes, reasons: Sequence[str]) -> None:
        """Send dead letters."""
        self.send(RejectedLines(self.destination, stream, epoch, lines, reasons))


def _work(
    number: int,
    configuration: Configuration,
    newer_calls: Mapping[str, NewerCalls],
    source: int,
    connection: Connection,
    parents_ends: Sequence[int],
) -> None:
    """Run a pipeline over the lines from the parent; report safe states, counts and the error."""
    for end in parents_ends:
        os.close(end)
    parent = os.getppid()
    # When the parent is killed its run is over: calls of a surviving worker could overtake those
    # of the next run.
    set_parent_death_signal(parent, signal.SIGKILL)
    interruption = Interruption()
    for inherited in (signal.SIGINT, signal.SIGHUP):
        signal.signal(inherited, signal.SIG_IGN)  # the parent gets them too and sends SIGTERM
    signal.signal(signal.SIGTERM, lambda *_: interruption.note(signal.SIGTERM))

    def check_interrupted() -> None:
        interruption.check()
        if os.getppid() != parent:
            raise Interrupted(signal.SIGTERM)

    reports = {settings.destination_name: RunReport() for settings in configuration.destinations}
    link = _ParentLink(connection)
    error: PipelinesError | None = None
    try:
        with os.fdopen(source, "rb", buffering=0) as file:
            pipeline = build_pipeline(
                configuration,
                reports=reports,
                bookkeeping=link.keep_books(configuration, newer_calls),
                check_interrupted=check_interrupted,
                shows_progress=False,
                logs_warnings=number == 0,  # one of the workers is enough
            )
            with running(pipeline, interruption):
                _read(configuration, pipeline, link.failures, file, check_interrupted)
    except Interrupted:
        pass  # by the parent
    except PipelinesError as caught:
        error = caught
    except Exception as caught:  # noqa: BLE001 - a bug: the parent fails with it
        traceback.print_exc()
        error = PipelinesError(
            f"A worker process failed: {type(caught).__name__}. This is a bug; the traceback is "
            "in the log."
        )
    with contextlib.suppress(BrokenPipeError):
        superseded = {name: calls.superseded for name, calls in newer_calls.items()}
        link.send(_Ended(reports, superseded, error))
    connection.close()
    sys.stderr.flush()
    os._exit(0)  # without waiting for abandoned threads


def _read(
    configuration: Configuration,
    pipeline: Pipeline,
    failures: StreamFailures,
    file: Any,
    check_interrupted: Callable[[], None],
) -> None:
    dispatcher = Dispatcher(
        pipeline,
        plugins=configuration.plugins,
        call_types=configuration.settings.call_types,
        failures=failures,
        started_at=configuration.started_at,
        positions=SentPositions(),
        check_interrupted=check_interrupted,
    )
    for block in read_blocks(file):
        check_interrupted()
        dispatcher.dispatch(block)
    check_interrupted()  # the input also ends when the parent dies
