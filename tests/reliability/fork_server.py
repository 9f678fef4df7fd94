"""A process that has loaded both programs and forks them on request: a start costs milliseconds.

Each forked program is a process of its own, with its own pipes and signals, and runs the `main` of
its console script. The server ends when its stdin is closed.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

# What the programs import only when they need it is loaded here, before the first fork.
import jsonschema_rs  # noqa: F401
import mssql_python  # noqa: F401
import pyodbc  # noqa: F401

from tap_mssql_query import tap
from tap_mssql_query.encoding import arrow_columns  # noqa: F401
from tap_mssql_query.sync import row_writer  # noqa: F401
from target_pipelines import command_line
from tests.reliability.guards import remove
from tests.reliability.injection import Injection, inject
from tests.reliability.replacements import Replacements

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PROGRAMS: Mapping[str, Callable[[], object]] = {"tap": tap.main, "target": command_line.main}
_MAX_REQUEST_BYTES = 65_536


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


def _main() -> None:
    gc.freeze()
    request = serve(sys.argv[1])
    # A shell starts background jobs with SIGINT ignored, nohup with SIGHUP ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    program, injection = request["program"], Injection(**request["injection"])
    os.chdir(request["folder"])
    sys.argv = [program, *request["arguments"]]
    remove(Replacements(), injection.removed)
    inject(program, injection)
    PROGRAMS[program]()


if __name__ == "__main__":
    _main()
