"""A worker process: a pipeline of its own for a part of the records, and the way to talk to it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import select
import signal
import sys
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from program_kit.parent_process import set_parent_death_signal
from target_pipelines.acknowledgements.report import RunReport
from target_pipelines.api.errors import DeliveryError, Interrupted, PipelinesError
from target_pipelines.run.build import build_pipeline
from target_pipelines.run.pipeline import running
from target_pipelines.singer.line_reader import read_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from multiprocessing.connection import Connection

    from target_pipelines.run.configuration import Configuration

_CONTEXT = multiprocessing.get_context("fork")  # plugins are loaded, and the settings read, once
_POLL_SECONDS = 0.1
_END_SECONDS = 8.0  # longer than a pipeline takes to abandon what is in flight


class Worker:
    """The parent's side of a worker process."""

    def __init__(
        self, number: int, configuration: Configuration, earlier: Sequence[Worker]
    ) -> None:
        self._reports: Mapping[str, RunReport] = {}
        self._results, its_results = _CONTEXT.Pipe(duplex=False)
        its_input, self._input = os.pipe()
        self._process = _CONTEXT.Process(
            target=_work,
            args=(configuration, its_input, its_results, self._ends_to_close(earlier)),
            name=f"worker-{number}",
            daemon=True,
        )
        self._process.start()
        os.close(its_input)
        its_results.close()
        os.set_blocking(self._input, False)

    def _ends_to_close(self, earlier: Sequence[Worker]) -> list[int]:
        """A fork has all that is open; an input ends when its last other end is closed."""
        return [self._input, *(worker._input for worker in earlier)]  # noqa: SLF001 - its own class

    def send(self, lines: bytes, check: Callable[[], None]) -> None:
        """Give the worker lines of Singer messages; `check` may end the wait.

        A worker that has ended takes none; its `results` say why.
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

    def results(self) -> Iterator[int]:
        """Numbers of the states that are safe, until the worker ends. Raises what ended it."""
        error: PipelinesError | None = DeliveryError(f"The {self._process.name} process died.")
        with contextlib.suppress(EOFError):
            while True:
                result = self._results.recv()
                if isinstance(result, int):
                    yield result
                else:
                    self._reports, error = result
        self._process.join()
        if error is not None:
            raise error

    def take_reports(self) -> Mapping[str, RunReport]:
        """What the worker has done, by destination, when it has ended; the second time nothing."""
        reports, self._reports = self._reports, {}
        return reports

    def end_input(self) -> None:
        """No more lines will come; again does no harm."""
        if self._input >= 0:
            os.close(self._input)
            self._input = -1

    def stop(self) -> None:
        """Ask the worker to begin nothing new."""
        if self._process.is_alive():
            self._process.terminate()
        self.end_input()

    def kill(self) -> None:
        """End the worker if it has not ended in time."""
        self._process.join(_END_SECONDS)
        self._process.kill()
        self._process.join()


def split_limits(configuration: Configuration, count: int) -> Configuration:
    """The configuration of one of so many workers: of lanes and of the rate, each has its share."""
    destinations = []
    for settings in configuration.destinations:
        destination = configuration.plugins.destinations[settings.destination].open(settings)
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


def _work(
    configuration: Configuration, source: int, results: Connection, parents_ends: Sequence[int]
) -> None:
    """Run a pipeline over the lines that the parent sends, and tell it what became of them."""
    for end in parents_ends:
        os.close(end)
    parent = os.getppid()
    # A run that was killed is over: what a worker sent later could overtake the next run's calls.
    set_parent_death_signal(parent, signal.SIGKILL)
    stopped = []
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the parent has them too, and decides
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))

    def check_interrupted() -> None:
        if stopped or os.getppid() != parent:
            raise Interrupted(signal.SIGTERM)

    reports = {settings.destination_name: RunReport() for settings in configuration.destinations}
    error: PipelinesError | None = None
    try:
        with os.fdopen(source, "rb", buffering=0) as file:
            _run(configuration, file, reports, results.send, check_interrupted)
    except Interrupted:
        pass  # the parent knows
    except PipelinesError as caught:
        error = caught
    except Exception as caught:  # noqa: BLE001 - a bug, which the parent must hear of
        traceback.print_exc()
        error = PipelinesError(f"A worker process failed: {type(caught).__name__}.")
    with contextlib.suppress(BrokenPipeError):
        results.send((reports, error))
    results.close()
    sys.stderr.flush()
    os._exit(0)  # threads that were abandoned must not keep it


def _run(
    configuration: Configuration,
    file: Any,
    reports: Mapping[str, RunReport],
    send: Callable[[Any], None],
    check_interrupted: Callable[[], None],
) -> None:
    pipeline = build_pipeline(
        configuration,
        reports=reports,
        write_state=lambda state: send(state["number"]),
        check_interrupted=check_interrupted,
        shows_progress=False,
    )
    with running(pipeline):
        for block in read_blocks(file):
            check_interrupted()
            pipeline.process(block)
        check_interrupted()  # an input that ends because the parent died is not at its end
