"""Runs a console script, from a server that has loaded its program."""

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
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_ROOT = Path(__file__).parents[1]
_START_SECONDS = 60
_OF_TESTS = frozenset({"PYTEST_CURRENT_TEST", "COLUMNS", "LINES"})


class ForkedProgram:
    """A console script that runs without loading its program; a context manager.

    Whatever a test changes in the environment but for settings of the program, such as where Python
    finds modules, may matter while the program is loaded. Then the script is started.
    """

    def __init__(self, script: Path, package: str, module: str) -> None:
        """`module` is what the script imports, and `package` that of its `__main__`."""
        self._script = script
        self._prefix = f"{package.upper()}_"
        self._environment = self._relevant(os.environ)
        self._folder = tempfile.TemporaryDirectory(prefix="program-")
        self._path = str(Path(self._folder.name, "socket"))
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.program_server", self._path, package, module],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,  # unused; sys.stdout of the forks was made for a pipe
        )

    def run(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        text: bytes = b"",
        timeout: float,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run it with this standard input to its end, as `subprocess.run` does."""
        command = [str(self._script), *arguments]
        environment = {**os.environ, **(environment or {})}
        if self._relevant(environment) != self._environment:
            return subprocess.run(
                command,
                cwd=folder,
                env=environment,
                input=text,
                capture_output=True,
                timeout=timeout,
                check=False,
            )
        request = {"arguments": command, "folder": str(folder), "environment": environment}
        with contextlib.ExitStack() as stack:
            connection = stack.enter_context(connect(self._path, self._server))
            (stdin, to_stdin), *outputs = (os.pipe() for _ in range(3))
            theirs = [stdin, *(writer for _, writer in outputs)]
            socket.send_fds(connection, [json.dumps(request).encode() + b"\n"], theirs)
            for file in theirs:
                os.close(file)
            collected: list[bytes] = [b"", b""]
            threads = [_start(_write, to_stdin, text)]
            threads += [_start(_read, outputs[n][0], collected, n) for n in (0, 1)]
            exit_code = _wait(connection, command, timeout)
            for thread in threads:
                thread.join(timeout)
        return subprocess.CompletedProcess(command, exit_code, *collected)

    def _relevant(self, environment: Mapping[str, str]) -> dict[str, str]:
        return {
            name: value
            for name, value in environment.items()
            if name not in _OF_TESTS and not name.startswith(self._prefix)
        }

    def __enter__(self) -> ForkedProgram:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()
        self._folder.cleanup()


def connect(path: str, server: subprocess.Popen[bytes]) -> socket.socket:
    """A connection to a server of forks, once it has loaded what it forks."""
    connection = socket.socket(socket.AF_UNIX)
    for _ in range(_START_SECONDS * 50):
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
            connection.connect(path)
            return connection
        assert server.poll() is None, "the program cannot be loaded"
        threading.Event().wait(0.02)
    raise TimeoutError("the program is not loaded in time")


def _wait(connection: socket.socket, command: Sequence[str], timeout: float) -> int:
    """The exit code of a program; it is killed if it takes too long."""
    with connection.makefile("rb") as replies:
        number = int(replies.readline())
        connection.settimeout(timeout)
        try:
            return int(replies.readline() or -signal.SIGKILL)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(number, signal.SIGKILL)
            raise subprocess.TimeoutExpired(command, timeout) from None


def _start(target: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments)
    thread.start()
    return thread


def _write(file: int, text: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), open(file, "wb") as stream:
        stream.write(text)


def _read(file: int, collected: list[bytes], number: int) -> None:
    with open(file, "rb") as stream:
        collected[number] = stream.read()
