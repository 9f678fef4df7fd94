"""A process that has loaded both programs and forks them on request: a start costs milliseconds.

What it forks are processes of their own, with their own pipes and signals, that run `main` as the
console scripts do. It ends when its stdin is closed.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import socket
import sys
from typing import Any

from tests.reliability.guards import remove
from tests.reliability.injection import Injection, inject
from tests.reliability.replacements import Replacements

MODULES = {"tap": "tap_mssql_query.tap", "target": "target_pipelines.command_line"}
_ALSO_LOADED = (
    "jsonschema_rs",
    "mssql_python",
    "pyodbc",
    "tap_mssql_query.encoding.arrow_columns",
    "tap_mssql_query.sync.row_writer",
)
_MAX_REQUEST_BYTES = 65_536


def serve(path: str) -> dict[str, Any]:
    """Answer requests until stdin ends; returns only in a process that is to be a program."""
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
                return _tend(connection)
            connection.close()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _tend(connection: socket.socket) -> dict[str, Any]:
    """Fork the program, tell its number, then its end; returns only in the program."""
    text, files, _, _ = socket.recv_fds(connection, _MAX_REQUEST_BYTES, 3)
    number = os.fork()
    if number == 0:
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
        connection.sendall(b"%d\n" % number)
        _, status = os.waitpid(number, 0)
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _main() -> None:
    for name in (*MODULES.values(), *_ALSO_LOADED):
        importlib.import_module(name)
    gc.freeze()
    request = serve(sys.argv[1])
    program, injection = request["program"], Injection(**request["injection"])
    os.chdir(request["folder"])
    sys.argv = [MODULES[program], *request["arguments"]]
    remove(Replacements(), injection.removed)
    inject(program, injection)
    importlib.import_module(MODULES[program]).main()


if __name__ == "__main__":
    _main()
