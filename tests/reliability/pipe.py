"""One run of `tap | target`, with a fault at a given number of bytes or requests."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tests.reliability.injection import NO_INJECTION, Injection
from tests.reliability.programs import ExitCodes, ForkServer, Program

if TYPE_CHECKING:
    from collections.abc import Callable

_BLOCK_BYTES = 65_536
RUN_SECONDS = 60.0
_POLL_SECONDS = 0.01
_STOPPED_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong in one run.

    Attributes:
        tap: a fault inside the tap.
        target: a fault inside the target.
        victim: the program that gets a signal from outside.
        after_bytes: the signal is sent after this many bytes; the target never gets the others.
        after_requests: the signal is sent when this many requests have ended and one more arrived.
        signal_number: the signal.
        closes_states: the reader of the target's states closes the pipe, when the target stops
            itself or, if it does not, at once.
    """

    tap: Injection = NO_INJECTION
    target: Injection = NO_INJECTION
    victim: Literal["tap", "target"] = "target"
    after_bytes: int | None = None
    after_requests: int | None = None
    signal_number: int = signal.SIGKILL
    closes_states: bool = False


NO_FAULT = Fault()


class Pipe:
    """Both programs, started; `finish` waits until both have ended."""

    def __init__(
        self,
        fork_server: ForkServer,
        folder: Path,
        fault: Fault,
        *,
        tap_arguments: list[str],
        take_state: Callable[[bytes], None],
    ) -> None:
        self._fault = fault
        self._take_state = take_state
        self.passed = bytearray()
        from_tap, tap_out = os.pipe()
        target_in, to_target = os.pipe()
        states, target_out = os.pipe()
        with (folder / "log").open("ab") as log, Path(os.devnull).open("rb") as nothing:
            self.target = fork_server.start(
                "target",
                ["--config", "target.json"],
                folder=folder,
                files=(target_in, target_out, log.fileno()),
                injection=fault.target,
            )
            self.tap = fork_server.start(
                "tap",
                ["--config", "tap.json", *tap_arguments],
                folder=folder,
                files=(nothing.fileno(), tap_out, log.fileno()),
                injection=fault.tap,
            )
        for end in (tap_out, target_in, target_out):
            os.close(end)
        self._keeper = threading.Thread(target=self._keep_states, args=(states,))
        pump = threading.Thread(target=self._pump, args=(from_tap, to_target))
        self._threads = [pump, self._keeper]
        for thread in self._threads:
            thread.start()

    @property
    def victim(self) -> Program:
        """The program that gets the signal from outside."""
        return self.tap if self._fault.victim == "tap" else self.target

    def finish(self, seconds: float = RUN_SECONDS) -> ExitCodes:
        """Wait for both programs. Raises TimeoutError if one does not end."""
        try:
            codes = [self._await_end(program, seconds) for program in (self.target, self.tap)]
        finally:
            for program in (self.tap, self.target):
                program.kill()
            for thread in self._threads:
                thread.join()
        return ExitCodes(tap=codes[1], target=codes[0])

    def _await_end(self, program: Program, seconds: float) -> int:
        for _ in range(int(seconds / _POLL_SECONDS)):
            code = program.wait(_POLL_SECONDS)
            if code is not None:
                return code
            is_closed = not self._keeper.is_alive()
            for each in (self.tap, self.target):
                if each.is_stopped and (is_closed or not self._fault.closes_states):
                    each.wait(_STOPPED_SECONDS)
                    each.signal(signal.SIGCONT)
        raise TimeoutError("a program did not end")

    def _pump(self, source: int, sink: int) -> None:
        limit = self._fault.after_bytes
        with contextlib.closing(_File(source)), contextlib.closing(_File(sink)):
            while block := os.read(source, _BLOCK_BYTES):
                if limit is not None:
                    block, is_reached = block[:limit], len(block) >= limit
                    limit -= len(block)
                try:
                    _write_all(sink, block)
                except BrokenPipeError:
                    return
                self.passed += block
                if limit == 0 and is_reached:
                    self.victim.signal(self._fault.signal_number)
                    if self._fault.signal_number == signal.SIGKILL:
                        return
                    limit = None

    def _keep_states(self, source: int) -> None:
        rest = b""
        with contextlib.closing(_File(source)):
            if self._fault.closes_states:
                self._await_stop()
            else:
                while block := os.read(source, _BLOCK_BYTES):
                    *lines, rest = (rest + block).split(b"\n")
                    for line in lines:
                        self._take_state(line)

    def _await_stop(self) -> None:
        """Wait until the target has stopped itself, if its fault is SIGSTOP."""
        if self._fault.target.signal_number == signal.SIGSTOP:
            while not self.target.is_stopped and self.target.wait(_POLL_SECONDS) is None:
                pass


class _File:
    def __init__(self, number: int) -> None:
        self._number = number

    def close(self) -> None:
        os.close(self._number)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
