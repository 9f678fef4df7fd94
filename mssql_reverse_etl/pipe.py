"""Tap and target as two processes with a pipe between them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from program_kit.startup import PARENT_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_WAIT_SECONDS = 30.0
_TAP, _TARGET = "tap_mssql_query", "target_pipelines"


@dataclass(frozen=True, slots=True, kw_only=True)
class PipeOptions:
    """What the programs are started with.

    Attributes:
        tap_configs: paths, or `ENV`.
        target_configs: the same for the target.
        state: the path of the state; None for none.
        tap_options: further words of the tap's command line.
        log: where what both write to stderr goes; None: to this process's.
    """

    tap_configs: Sequence[str]
    target_configs: Sequence[str]
    state: Path | None = None
    tap_options: Sequence[str] = ()
    log: Path | None = None


@dataclass(slots=True)
class PipeResult:
    """How a run ended.

    Attributes:
        tap_code: exit code; negative after a signal, as `subprocess` says it.
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
        """The target's if it failed, else the tap's: that only says that nobody reads."""
        code = self.target_code or self.tap_code
        return 128 - code if code < 0 else code


class Pipe:
    """Runs the programs once; `stop` may be called from a signal handler."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []
        self._is_stopping = False

    def run(self, options: PipeOptions, keep_state: Callable[[bytes], None]) -> PipeResult:
        """Run to the end; `keep_state` takes each state that is safe, in order.

        Raises what `keep_state` raises, when both programs have ended.
        """
        with tempfile.TemporaryDirectory(prefix="mssql-reverse-etl-") as name:
            reports = {
                "tap": _report_of(options.tap_configs, Path(name), "tap"),
                "target": _report_of(options.target_configs, Path(name), "target"),
            }
            with self._started(options, reports) as (tap, target, states):
                for line in states:
                    if line.endswith(b"\n"):  # else it was killed in mid line
                        keep_state(line)
                codes = target.wait(), tap.wait()
            return PipeResult(
                tap_code=codes[1],
                target_code=codes[0],
                tap_report=_read(reports["tap"][1]),
                target_report=_read(reports["target"][1]),
            )

    def stop(self) -> None:
        """Ask both programs to end: the target settles what is in flight."""
        self._is_stopping = True
        for process in self._processes:
            if process.poll() is None:
                process.terminate()

    @contextlib.contextmanager
    def _started(
        self, options: PipeOptions, reports: Mapping[str, tuple[Sequence[str], Path]]
    ) -> Iterator[tuple[subprocess.Popen[bytes], subprocess.Popen[bytes], IO[bytes]]]:
        state = ("--state", str(options.state)) if options.state else ()
        tap_words = [*_configs(options.tap_configs, reports["tap"][0]), *state]
        target_words = _configs(options.target_configs, reports["target"][0])
        log = options.log.open("ab") if options.log else None
        lines, lines_in = os.pipe()
        states, states_in = os.pipe()
        started = []
        try:
            with _closing(lines, lines_in, states_in):  # here; the programs have them
                started.append(self._start(_TARGET, target_words, lines, states_in, log))
                tap_words += options.tap_options
                started.append(self._start(_TAP, tap_words, subprocess.DEVNULL, lines_in, log))
            target, tap = started
            with os.fdopen(states, "rb", closefd=False) as stream:
                yield tap, target, stream
        finally:
            os.close(states)
            if log:
                log.close()
            for process in reversed(started):
                _end(process)

    def _start(
        self, program: str, words: Sequence[str], source: int, output: int, log: IO[bytes] | None
    ) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", program, *words]
        environment = {**os.environ, PARENT_VARIABLE: str(os.getpid())}
        process = subprocess.Popen(  # noqa: S603 - our own
            command, stdin=source, stdout=output, stderr=log, env=environment
        )
        self._processes.append(process)
        if self._is_stopping:
            process.terminate()
        return process


@contextlib.contextmanager
def _closing(*files: int) -> Iterator[None]:
    try:
        yield
    finally:
        for file in files:
            os.close(file)


def _report_of(configs: Sequence[str], folder: Path, program: str) -> tuple[Sequence[str], Path]:
    """A further configuration that makes a program write a report, and the report's path."""
    for config in reversed(configs):
        with contextlib.suppress(OSError, ValueError):
            settings = json.loads(Path(config).read_text(encoding="utf-8"))
            if isinstance(settings, dict) and (path := settings.get("report_path")):
                return (), Path(path)
    report, config_path = folder / f"{program}_report.json", folder / f"{program}.json"
    config_path.write_text(json.dumps({"report_path": str(report)}), encoding="utf-8")
    return (str(config_path),), report


def _configs(paths: Sequence[str], further: Sequence[str]) -> list[str]:
    return [word for path in (*paths, *further) for word in ("--config", path)]


def _read(path: Path) -> Mapping[str, Any]:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return report if isinstance(report, dict) else {}


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program that may still run; again does no harm."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
