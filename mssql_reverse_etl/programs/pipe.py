"""Runs tap and target as two processes connected by a pipe."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import IO, TYPE_CHECKING, Any

from mssql_reverse_etl.errors import UsageError
from program_kit.command_line import read_config
from program_kit.events import EVENTS_VARIABLE, LOG, PROGRESS
from program_kit.exit_codes import worst_exit_code
from program_kit.signals import is_signal_exit_code, signal_exit_code
from program_kit.startup import PARENT_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mssql_reverse_etl.programs.child_events import EventReader

GRACE_SECONDS = 30.0
"""How long the programs may take to end when they are asked to; then they are killed."""
_TAP, _TARGET = "tap_mssql_query", "target_pipelines"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipeOptions:
    """The arguments of both programs.

    Attributes:
        tap_configs: paths of configurations, or `ENV`.
        target_configs: the same for the target.
        state: path of the state; None for none.
        tap_options: further arguments of the tap.
        target_options: the same for the target.
        log: file that gets stderr of both programs; None for this process's stderr.
        leaves_reports: whether the reports that the configurations ask for stay as they are.
    """

    tap_configs: Sequence[str]
    target_configs: Sequence[str]
    state: Path | None = None
    tap_options: Sequence[str] = ()
    target_options: Sequence[str] = ()
    log: Path | None = None
    leaves_reports: bool = False


@dataclass(slots=True)
class PipeResult:
    """The result of a run of both programs.

    Attributes:
        tap_code: exit code; negative after a signal, as in `subprocess`.
        target_code: the same of the target.
        tap_report: the JSON of its `report_path`; empty if it wrote none.
        target_report: the same of the target.
    """

    tap_code: int
    target_code: int
    tap_report: Mapping[str, Any] = field(default_factory=dict)
    target_report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """The worst of both; a tap that a signal or a closed pipe ended yields to the target's."""
        tap, target = _shell_code(self.tap_code), _shell_code(self.target_code)
        if is_signal_exit_code(target) or is_signal_exit_code(tap):
            return target or tap
        return worst_exit_code([target, tap])


class Pipe:
    """Runs both programs once; `stop` may be called from a signal handler."""

    def __init__(self, inherited: Sequence[int] = (), events: EventReader | None = None) -> None:
        """What both programs get and give.

        `inherited` are file descriptors that they get, as of their configurations. `events` reads
        what they write to stderr, unless that goes to a file.
        """
        self._inherited = inherited
        self._events = events
        self._processes: list[subprocess.Popen[bytes]] = []
        self._is_stopping = False
        self._stopped: SimpleQueue[None] = SimpleQueue()  # one that a signal handler may use
        self._killer = threading.Thread(target=self._kill_late, name="killer", daemon=True)

    def run(self, options: PipeOptions, on_state: Callable[[bytes], None]) -> PipeResult:
        """Run both programs to their ends; `on_state` gets each safe state, a line of JSON.

        An exception of `on_state` ends both programs and is raised.
        """
        with tempfile.TemporaryDirectory(prefix="mssql-reverse-etl-") as name:
            add_report = _with_own_report if options.leaves_reports else _with_report
            tap_configs, tap_report = add_report(options.tap_configs, Path(name), "tap")
            target_configs, target_report = add_report(options.target_configs, Path(name), "target")
            state = ["--state", str(options.state)] if options.state else []
            tap_arguments = [*_config_options(tap_configs), *state, *options.tap_options]
            target_arguments = [*_config_options(target_configs), *options.target_options]
            with self._start_both(tap_arguments, target_arguments, options.log) as (
                tap,
                target,
                states,
            ):
                for line in states:
                    if line.endswith(b"\n"):  # the target may be killed within a line
                        on_state(line)
                codes = target.wait(), tap.wait()
            self._join_events()
            return PipeResult(
                tap_code=codes[1],
                target_code=codes[0],
                tap_report=read_report(tap_report),
                target_report=read_report(target_report),
            )

    def send_again(
        self, target_configs: Sequence[str], *arguments: str
    ) -> tuple[int, Mapping[str, Any]]:
        """Run the target alone, with arguments that let it send dead letters.

        Its exit code and its report.
        """
        with tempfile.TemporaryDirectory(prefix="mssql-reverse-etl-") as name:
            # The run's own report comes later.
            configs, report = _with_own_report(target_configs, Path(name), "target")
            process = self._start(
                _TARGET,
                [*_config_options(configs), *arguments],
                subprocess.DEVNULL,
                subprocess.DEVNULL,
                None,
            )
            try:
                code = _shell_code(process.wait())
                self._join_events()
                return code, read_report(report)
            finally:
                _terminate(process)

    def read(self, options: PipeOptions) -> tuple[int, bytes]:
        """Run the tap alone, for a few rows; its exit code and its messages."""
        state = ["--state", str(options.state)] if options.state else []
        messages, messages_in = os.pipe()
        arguments = [*_config_options(options.tap_configs), *state, *options.tap_options]
        with os.fdopen(messages, "rb") as stream:
            with _closing(messages_in):
                tap = self._start(_TAP, arguments, subprocess.DEVNULL, messages_in, None)
            try:
                found = stream.read()
                code = _shell_code(tap.wait())
            finally:
                _terminate(tap)
        self._join_events()
        return code, found

    def _join_events(self) -> None:
        if self._events:
            self._events.join()

    def stop(self) -> None:
        """Ask both programs to end; the target settles the requests in flight.

        Those that do not end within the grace are killed.
        """
        self._is_stopping = True
        self._stopped.put(None)
        for process in self._processes:
            if process.poll() is None:
                process.terminate()

    @contextlib.contextmanager
    def _start_both(
        self, tap_arguments: Sequence[str], target_arguments: Sequence[str], log_path: Path | None
    ) -> Iterator[tuple[subprocess.Popen[bytes], subprocess.Popen[bytes], IO[bytes]]]:
        """Start tap and target; yields both and the target's stdout. They end with the block."""
        log = log_path.open("ab") if log_path else None
        messages, messages_in = os.pipe()
        states, states_in = os.pipe()
        started = []
        try:
            with _closing(messages, messages_in, states_in):  # the programs have copies
                target = self._start(_TARGET, target_arguments, messages, states_in, log)
                started.append(target)
                tap = self._start(_TAP, tap_arguments, subprocess.DEVNULL, messages_in, log)
                started.append(tap)
            with os.fdopen(states, "rb", closefd=False) as stream:
                yield tap, target, stream
        finally:
            os.close(states)
            if log:
                log.close()
            for process in reversed(started):
                _terminate(process)

    def _kill_late(self) -> None:
        self._stopped.get()
        threading.Event().wait(GRACE_SECONDS)
        for process in self._processes:
            if process.poll() is None:
                logger.error("A program did not end within %.0f s; it is killed.", GRACE_SECONDS)
                process.kill()

    def _start(
        self,
        program: str,
        arguments: Sequence[str],
        stdin: int,
        stdout: int,
        stderr: IO[bytes] | None,
    ) -> subprocess.Popen[bytes]:
        events = self._events if stderr is None else None
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", program, *arguments],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE if events else stderr,
            pass_fds=self._inherited,
            env={**os.environ, PARENT_VARIABLE: str(os.getpid()), **_event_variables(events)},
        )
        if events and process.stderr:
            events.read(program, process.stderr)
        self._processes.append(process)
        if not self._killer.ident:
            self._killer.start()
        if self._is_stopping:
            process.terminate()
        return process


def _event_variables(events: EventReader | None) -> dict[str, str]:
    if events is None:
        return {}
    return {EVENTS_VARIABLE: PROGRESS if events.wants_progress else LOG}


def _shell_code(code: int) -> int:
    """The exit code that a shell reports; `subprocess` has a negative one after a signal."""
    return signal_exit_code(-code) if code < 0 else code


@contextlib.contextmanager
def _closing(*files: int) -> Iterator[None]:
    try:
        yield
    finally:
        for file in files:
            os.close(file)


def _with_report(configs: Sequence[str], folder: Path, program: str) -> tuple[Sequence[str], Path]:
    """Configurations with which a program writes a report, and the report's path."""
    with contextlib.suppress(UsageError):  # the program itself reports it
        if path := read_config(configs, UsageError).get("report_path"):
            return configs, Path(path)
    return _with_own_report(configs, folder, program)


def _with_own_report(
    configs: Sequence[str], folder: Path, program: str
) -> tuple[Sequence[str], Path]:
    """The same, with a report in this folder whatever they say."""
    report, config_path = folder / f"{program}_report.json", folder / f"{program}.json"
    config_path.write_text(json.dumps({"report_path": str(report)}), encoding="utf-8")
    return (*configs, str(config_path)), report


def _config_options(paths: Sequence[str]) -> list[str]:
    return [argument for path in paths for argument in ("--config", path)]


def read_report(path: Path) -> Mapping[str, Any]:
    """The report that a program wrote; empty if there is none."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return report if isinstance(report, dict) else {}


def _terminate(process: subprocess.Popen[bytes]) -> None:
    """Terminate a process and wait for its end; kill it if it does not end in time."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
