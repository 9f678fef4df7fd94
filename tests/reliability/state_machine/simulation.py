"""What the state machine acts on: a process of the target, its input, destination and model."""

from __future__ import annotations

import contextlib
import tempfile
from collections import defaultdict
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from target_pipelines import (
    ID,
    USER_OR_ANONYMOUS_ID,
    CallType,
    Delivered,
    DestinationType,
    call_schema,
    object_of,
)
from target_pipelines.api.settings import TargetSettings
from target_pipelines.plugins.loading import PluginRegistry, load_plugins
from target_pipelines.run.configuration import Configuration
from tests.reliability.replacements import Replacements
from tests.reliability.state_machine.cooperative_scheduler import CooperativeScheduler
from tests.reliability.state_machine.invariants import InvariantChecker
from tests.reliability.state_machine.model import Row, RunModel, Window, to_line
from tests.reliability.state_machine.responses import DELIVERED, REJECTED, StubResponse
from tests.reliability.state_machine.stub_destination import Request, StubDestination
from tests.reliability.state_machine.target_process import DeadLetterFile, TargetProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from target_pipelines import Limits

SIGHTING = CallType(
    name="sighting",
    summary="an event; hidden ones are filtered out",
    sends_as="track",
    extra_columns="properties",
    is_event=True,
    schema=call_schema(
        {"userId": ID, "event": ID, "properties": object_of({})},
        required=["event"],
        any_of=USER_OR_ANONYMOUS_ID,
    ),
    build=lambda call: None if call["properties"]["note"] == "hidden" else call,
)
LOADED = load_plugins()
LOADED.add_call_type(SIGHTING, "tests")


class Simulation(contextlib.ExitStack):
    """What the actions act on; a context manager, whose end frees everything.

    Attributes:
        scheduler: the threads and the clock.
        destination: where requests wait.
        checker: the model and its invariants.
        windows: stream → all its queries.
        process: the process that runs, if one does.
        unread: the input that was not written to the process yet.
        is_backwards: whether the next run reads the streams in reverse order.
    """

    def __init__(
        self,
        limits: Limits,
        max_lanes: int | None,
        *,
        concurrency: int,
        max_retry_seconds: int,
        scheduling_seed: int,
        removed: Sequence[Callable[[Replacements], None]],
    ) -> None:
        super().__init__()
        self._removed = removed
        self.windows: defaultdict[str, list[Window]] = defaultdict(list)
        self.process: TargetProcess | None = None
        self.unread = b""
        self.is_backwards = False
        self.scheduler = CooperativeScheduler(Random(scheduling_seed))
        path = Path(self.enter_context(tempfile.TemporaryDirectory())) / "dead_letters.jsonl"
        dead_letters = DeadLetterFile(path)
        lanes = min(concurrency, max_lanes or concurrency)
        self.checker = InvariantChecker(dead_letters, limits, lanes)
        self.destination = StubDestination(self.scheduler, limits, max_lanes, self._check_request)
        self.enter_context(self.scheduler.replacing_threads())
        self.enter_context(dead_letters.replacing_fsync())
        self._guards = self.enter_context(contextlib.ExitStack())
        self.callback(self.scheduler.kill)
        plugins = PluginRegistry()
        plugins.call_types = LOADED.call_types
        plugins.add_destination(
            DestinationType(name="stub", open=lambda _: self.destination), "tests"
        )
        settings = TargetSettings(
            destination="stub",
            concurrency=concurrency,
            dead_letter_path=str(path),
            max_retry_seconds=max_retry_seconds,
            max_rejected_ratio=1.0,
        )
        self._configuration = Configuration(settings, [settings], plugins)

    def check(self) -> None:
        """Check all invariants; a process that has ended is gone. Raises AssertionError."""
        if self.process is not None:
            self.checker.check_dead_letters()
            if self.process.is_over:
                self.checker.check_end(self.process.error, self.process.report)
                self.leave(has_arrived=True)
        assert not self.checker.violations, self.checker.violations

    # The process and its input

    def running_process(self) -> TargetProcess:
        """The process; a new one starts from the newest STATE and gets what that does not cover."""
        if self.process is None:
            run = self.checker.run = RunModel(self.checker.printed)
            self.unread = b""
            code = self._guards.enter_context(Replacements())
            for remove in self._removed:
                remove(code)
            self.process = TargetProcess(
                self.scheduler, self._configuration, self.checker.check_state
            )
            for stream in sorted(self.windows, reverse=self.is_backwards):
                for window in self.windows[stream][run.bookmarks.get(stream, 0) :]:
                    self._open(window)
                    self.unread += b"".join(map(run.add, window.rows))
        return self.process

    def has_input(self) -> bool:
        """Whether the input of the process is still open."""
        self.running_process()
        return not self.checker.run.has_ended

    def open_window(self, stream: str, call_type: str = "track") -> Sequence[Window]:
        """The open window of a stream, opened now if a query may begin; else none.

        A stream's next query begins once a STATE that covers its last one was printed.
        """
        if not self.has_input():
            self.deliver_one()
            return ()
        run, windows = self.checker.run, self.windows[stream]
        if stream not in run.open and self.checker.printed.get(stream, 0) == len(windows):
            windows.append(Window(stream, len(windows), call_type))
            self._open(windows[-1])
        return windows[-1:] if stream in run.open else ()

    def waiting_requests(self) -> Sequence[Request]:
        """Requests that wait for a response; the clock advances if there is none yet."""
        self.running_process()
        if not self.destination.waiting:
            self.scheduler.pass_time(1.0)
        return self.destination.waiting

    def deliver_one(self) -> None:
        """Let one request succeed instead of an action that is not possible now."""
        for request in self.waiting_requests()[:1]:
            self.respond(request, DELIVERED)

    def _open(self, window: Window) -> None:
        self.checker.run.open[window.stream] = window
        self.unread += to_line(window.schema([]))

    def end_window(self, stream: str) -> None:
        """End the query of a stream: the next STATE may cover it."""
        window = self.checker.run.open.pop(stream)
        self.checker.run.bookmarks[stream] = window.number + 1

    def send(self, row: Row) -> None:
        """Put a row into the input."""
        row.window.rows.append(row)
        self.checker.add_row(row)
        self.unread += self.checker.run.add(row)

    def give(self, share: float) -> None:
        """Write a share of the input to the target; it may end in the middle of a line."""
        count = round(len(self.unread) * share)
        data, self.unread = self.unread[:count], self.unread[count:]
        self.running_process().give(data)

    def end_input(self) -> None:
        """Write the rest of the input and close the pipe."""
        self.give(1.0)
        self.checker.run.has_ended = True
        self.running_process().close()

    def _check_request(self, request: Request) -> None:
        self.checker.check_request(request, self.destination.waiting, self.scheduler.now)

    def respond(self, request: Request, response: StubResponse) -> None:
        """Respond; a request with a call that the destination rejects is never delivered."""
        if isinstance(response.outcome, Delivered) or response.has_arrived:
            notes = {row.note for row in self.checker.rows_of(request)}
            response = REJECTED if "rejected" in notes else response
        self.checker.note_response(request, response)
        if response.retry_after is not None:
            request.sender.not_before = self.scheduler.now + response.retry_after
        self.destination.respond(request, response.outcome)

    def leave(self, *, has_arrived: bool) -> None:
        """The process is gone; requests in flight arrive, or do not."""
        for request in self.destination.waiting:
            rows = self.checker.rows_of(request)
            if has_arrived and all(row.note != "rejected" for row in rows):
                self.checker.note_delivered(rows)
        self.scheduler.kill()
        self.destination.waiting.clear()
        self.checker.note_kill()
        self._guards.close()
        self.process = None

    def recover(self) -> None:
        """Respond well to everything until a run has ended without an error, and check the end."""
        if self.checker.violations:
            return
        complete = {stream: len(windows) for stream, windows in self.windows.items() if windows}
        for _ in range(4):
            self._finish()
            self.check()
            if self.checker.printed == complete:
                break
        assert all(row.is_settled for row in self.checker.rows), "missing"
        assert self.checker.printed == complete

    def _finish(self) -> None:
        """End the input, and let the process finish."""
        process = self.running_process()
        if not self.checker.run.has_ended:
            for stream in list(self.checker.run.open):
                self.end_window(stream)
            self.unread += self.checker.run.add_state()
            self.end_input()
        for _ in range(2_000):
            if process.is_over:
                return
            if self.destination.waiting:
                self.respond(self.destination.waiting[0], DELIVERED)
            else:
                self.scheduler.pass_time(100.0)
        raise AssertionError("stalled")
