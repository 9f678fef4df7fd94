"""Starts programs through the fork server, and ends them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.forked_program import connect
from tests.packaging.conftest import ROOT
from tests.reliability.injection import NO_INJECTION, Injection

if TYPE_CHECKING:
    from collections.abc import Sequence


FILTERING_PLUGIN = """
from target_pipelines import CallType, hookimpl

def build(call):
    return None if call["properties"]["is_hidden"] else call

@hookimpl
def register_call_types(register):
    texts = {"userId": {"type": "string"}, "event": {"type": "string"}}
    register(
        CallType(
            name="visit",
            is_event=True,
            summary="A visit.",
            sends_as="track",
            schema={"type": "object", "properties": texts},
            extra_columns="properties",
            build=build,
        )
    )
"""


class Program:
    """A started program."""

    def __init__(self, connection: socket.socket) -> None:
        self._replies = connection.makefile("rb")
        self._connection = connection
        self.process_id = int(self._replies.readline())
        self._exit_code: int | None = None
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()

    def _watch(self) -> None:
        self._exit_code = int(self._replies.readline() or -signal.SIGKILL)
        self._replies.close()
        self._connection.close()
        self._ended.set()

    def signal(self, number: int) -> None:
        """Send a signal, unless the program has ended."""
        if not self._ended.is_set():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process_id, number)

    def wait(self, seconds: float) -> int | None:
        """Its exit code, negative for the signal that killed it; None if it still runs."""
        return self._exit_code if self._ended.wait(seconds) else None

    def kill(self) -> None:
        """Kill it with all processes that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process_id, signal.SIGKILL)
        self._watcher.join()

    @property
    def is_stopped(self) -> bool:
        """Whether SIGSTOP has stopped it."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            status = Path(f"/proc/{self.process_id}/stat").read_text()
            return status.rpartition(")")[2].split()[0] == "T"
        return False


class ForkServer:
    """The process that starts programs; a context manager. See `fork_server`."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fork_server-")
        folder = Path(self._folder.name)
        _install_plugin(folder, "filtering", FILTERING_PLUGIN)
        self._path = str(folder / "socket")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.fork_server", self._path],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"},
            stdin=subprocess.PIPE,
        )

    def start(
        self,
        program: str,
        arguments: Sequence[str],
        *,
        folder: Path,
        files: tuple[int, int, int],
        injection: Injection = NO_INJECTION,
    ) -> Program:
        """Start `tap` or `target` with these standard files."""
        request: dict[str, Any] = {
            "program": program,
            "arguments": list(arguments),
            "folder": str(folder),
            "injection": injection.to_json(),
        }
        connection = connect(self._path, self._process)
        socket.send_fds(connection, [json.dumps(request).encode() + b"\n"], files)
        return Program(connection)

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()
        self._folder.cleanup()


def _install_plugin(folder: Path, name: str, source: str) -> None:
    (folder / f"{name}.py").write_text(source)
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[target_pipelines]\n{name} = {name}\n")


@dataclass(frozen=True, slots=True)
class ExitCodes:
    """The exit codes of both programs of a pipe; negative numbers are signals."""

    tap: int
    target: int

    @property
    def are_clean(self) -> bool:
        """Whether both programs succeeded."""
        return (self.tap, self.target) == (0, 0)
