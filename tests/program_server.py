"""A process that has loaded one program and forks it on request, which takes milliseconds.

A forked program is a process of its own, with its own environment, folder, standard streams and
signals. It calls what its console script calls; the modules that the program imports at its start
are there already.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

# The packages that the programs import only when they need them; of the programs' own modules only
# those that a start imports, so that a program that lacks an import still fails.
import jsonschema_rs  # noqa: F401
import mssql_python  # noqa: F401
import pyarrow.compute  # noqa: F401
import pyodbc  # noqa: F401

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_REQUEST_BYTES = 1_048_576


def serve(path: str) -> dict[str, Any]:
    """Serve requests until stdin ends; returns only in a process that is to become a program."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        while True:
            ready, _, _ = select.select([listener.fileno(), 0], [], [])
            if 0 in ready:
                os._exit(0)
            connection = listener.accept()[0]
            if os.fork() == 0:
                listener.close()
                return _fork_program(connection)
            connection.close()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _fork_program(connection: socket.socket) -> dict[str, Any]:
    """Fork the program, send its process id, then its exit code; returns only in the program."""
    text, files, _, _ = socket.recv_fds(connection, _MAX_REQUEST_BYTES, 3)
    while not text.endswith(b"\n"):
        text += connection.recv(_MAX_REQUEST_BYTES)
    process_id = os.fork()
    if process_id == 0:
        connection.close()
        for standard, file in enumerate(files):
            os.dup2(file, standard)
            os.close(file)
        os.setpgid(0, 0)
        request: dict[str, Any] = json.loads(text)
        return request
    for file in files:
        os.close(file)
    os.close(0)
    with contextlib.suppress(BrokenPipeError):
        connection.sendall(b"%d\n" % process_id)
        _, status = os.waitpid(process_id, 0)
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(request: dict[str, Any]) -> None:
    """Take on what the started program would have from its start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    script = request["arguments"][0]
    sys.argv = request["arguments"]
    sys.path[0] = script.rpartition("/")[0]
    main = sys.modules["__main__"]
    main.__spec__, main.__file__ = None, script  # what a process that this one starts imports


def _main(path: str, package: str, module: str) -> None:
    importlib.import_module(module)
    main: Callable[[], object] = importlib.import_module(f"{package}.__main__").main
    gc.freeze()
    _become(serve(path))
    main()


if __name__ == "__main__":
    _main(*sys.argv[1:])
