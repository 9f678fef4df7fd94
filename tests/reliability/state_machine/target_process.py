"""One process of the target, and its file of dead letters, as the state machine runs them."""

from __future__ import annotations

import contextlib
import io
import json
import os
from functools import partial
from typing import TYPE_CHECKING, Any

from target_pipelines.acknowledgements import dead_letters
from target_pipelines.acknowledgements.report import RunReport
from target_pipelines.acknowledgements.stream_failures import StreamFailures
from target_pipelines.api.errors import Interrupted, PipelinesError
from target_pipelines.run.bookkeeping import find_newer_calls, keep_books
from target_pipelines.run.build import build_pipeline, print_state
from target_pipelines.run.dispatch import Dispatcher
from target_pipelines.run.lifecycle import running
from target_pipelines.singer.line_reader import read_blocks
from tests.reliability.replacements import Replacements
from tests.reliability.state_machine.cooperative_scheduler import Queue, wake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from target_pipelines.run.configuration import Configuration
    from tests.reliability.state_machine.cooperative_scheduler import CooperativeScheduler


class TargetProcess:
    """One run of the target: its own pipeline, between an input and a destination of the test.

    Attributes:
        error: what ended the run; None if it ended without an error.
        is_over: whether it has ended.
        report: its counts.
        failures: the streams that failed.
    """

    def __init__(
        self,
        scheduler: CooperativeScheduler,
        configuration: Configuration,
        write_state: Callable[[dict[str, Any]], None],
    ) -> None:
        self.error: BaseException | None = None
        self.is_over = False
        self.report = RunReport(lambda: scheduler.now)
        self._scheduler = scheduler
        self._signal: int | None = None
        self._given, self._is_closed = b"", False
        self._reading: Queue = []
        self.failures = StreamFailures()
        reports = {configuration.settings.destination_name: self.report}
        books = keep_books(
            configuration,
            reports=reports,
            failures=self.failures,
            newer_calls=find_newer_calls(configuration),
            write_state=partial(print_state, lambda data: write_state(json.loads(data))),
        )
        self._pipeline = build_pipeline(
            configuration,
            reports=reports,
            bookkeeping=books,
            check_interrupted=self._check_interrupted,
            shows_progress=False,
        )
        self._dispatcher = Dispatcher(
            self._pipeline,
            plugins=configuration.plugins,
            call_types=configuration.settings.call_types,
            failures=self.failures,
        )
        scheduler.new_thread(target=self._run).start()
        scheduler.run()

    def give(self, data: bytes) -> None:
        """Write bytes to the pipe."""
        self._given += data
        self._go_on()

    def close(self) -> None:
        """Close the pipe."""
        self._is_closed = True
        self._go_on()

    def terminate(self, number: int) -> None:
        """Send a signal."""
        self._signal = number
        self._go_on()

    def _go_on(self) -> None:
        wake(self._reading)
        self._scheduler.run()

    def _run(self) -> None:
        """Do what the program does between reading its configuration and printing its summary."""
        try:
            with running(self._pipeline):
                for lines in read_blocks(self):  # type: ignore[arg-type]  # the two methods below are all it needs
                    self._dispatcher.dispatch(lines)
            self.failures.raise_failures()
        except PipelinesError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - a bug, which the state machine reports
            self.error = error
        self.is_over = True

    def _check_interrupted(self) -> None:
        if self._signal is not None:
            raise Interrupted(self._signal)

    # The methods of a file that `read_blocks` uses

    def fileno(self) -> int:
        """Raise: there is no file descriptor."""
        raise io.UnsupportedOperation

    def read(self, count: int) -> bytes:
        """Return what was written; a signal ends the wait for it."""
        self._check_interrupted()
        self._scheduler.wait_for(
            lambda: self._given or self._is_closed or self._signal is not None, self._reading
        )
        self._check_interrupted()
        data, self._given = self._given[:count], self._given[count:]
        return data


class DeadLetterFile:
    """The file of dead letters, on a disk that keeps only what was synced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._synced = self._seen = 0

    @contextlib.contextmanager
    def replacing_fsync(self) -> Iterator[None]:
        """While the block runs, fsync only notes how much would be on the disk."""
        with Replacements() as code:
            code.override(dead_letters, os, fsync=self._sync)
            yield

    def read_new(self) -> list[dict[str, Any]]:
        """Dead letters that were synced since the last call."""
        if self._synced == self._seen:
            return []
        with self._path.open("rb") as file:
            file.seek(self._seen)
            lines = file.read(self._synced - self._seen).splitlines()
        self._seen = self._synced
        return [json.loads(line) for line in lines]

    def cut_power(self) -> None:
        """Lose what was not synced."""
        if self._path.exists():
            os.truncate(self._path, self._synced)

    def _sync(self, file: int) -> None:
        self._synced = os.fstat(file).st_size
