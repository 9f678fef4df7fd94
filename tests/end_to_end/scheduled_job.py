"""A folder in which a scheduler runs examples/run-sync.sh; programs can be replaced on its PATH."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.end_to_end.conftest import PROGRAMS
from tests.packaging.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

EXAMPLES = ROOT / "examples"
SCRIPT = EXAMPLES / "run-sync.sh"
TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Done:
    """How a run ended: its exit code, and what both programs and the script logged."""

    exit_code: int
    log: str


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """Configurations, the state and its log in one folder."""

    folder: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def state_file(self) -> Path:
        """Where the state is kept."""
        return self.folder / "state.json"

    @property
    def last_sync_times(self) -> dict[str, int]:
        """Sync → bookmark, of a state file that is complete; empty before the first."""
        if not self.state_file.exists():
            return {}
        text = self.state_file.read_text()
        assert text.endswith("}\n")
        bookmarks = json.loads(text)["bookmarks"]
        times = {sync: bookmark.get("last_sync_time") for sync, bookmark in bookmarks.items()}
        return {sync: time for sync, time in times.items() if time is not None}

    def configure(self, tap: Mapping[str, Any], target: Mapping[str, Any]) -> None:
        """Write both configurations."""
        for name, content in (("tap", tap), ("target", target)):
            (self.folder / f"{name}.json").write_text(json.dumps(content))

    def put_program(self, name: str, script: str) -> None:
        """Let the next runs find this shell script before the program of that name."""
        program = self.folder / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def remove_programs(self) -> None:
        """Undo all `put_program`."""
        for program in (self.folder / "bin").iterdir():
            program.unlink()

    def start(self, *options: str, shell: str = "sh") -> subprocess.Popen[str]:
        """Start the script in a process group of its own."""
        arguments = ("tap.json", "target.json", "state.json", *options)
        return self.start_command([shell, str(SCRIPT), *arguments])

    def start_command(self, command: Sequence[str]) -> subprocess.Popen[str]:
        """Start a command in this folder as a scheduler would."""
        path = os.pathsep.join((f"{self.folder}/bin", str(PROGRAMS), os.environ["PATH"]))
        with (self.folder / "log").open("w") as log:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, "PATH": path},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def run(self, *options: str, shell: str = "sh") -> Done:
        """Run the script to its end."""
        return self.finish(self.start(*options, shell=shell))

    def finish(self, process: subprocess.Popen[str]) -> Done:
        """Wait for the end of a run; unless it was killed, nothing of it may be left behind."""
        try:
            exit_code = process.wait(timeout=TIMEOUT_SECONDS)
            assert exit_code < 0 or not has_processes(process)
        finally:
            self.kill(process)
        return Done(exit_code, (self.folder / "log").read_text())

    def kill(self, process: subprocess.Popen[str]) -> None:
        """End a run with all its programs at once, as a machine does that goes down."""
        if not has_processes(process):
            return
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=TIMEOUT_SECONDS)
        lock = f"{self.state_file}.lock"
        subprocess.run(["flock", lock, "true"], check=True, timeout=TIMEOUT_SECONDS)

    def kill_all(self) -> None:
        """End whatever a failed test has left."""
        for process in self.started:
            self.kill(process)


def has_processes(process: subprocess.Popen[str]) -> bool:
    """Whether the process group that `process` leads has members."""
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True
