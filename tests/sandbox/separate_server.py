"""A server in a process of its own: what reading (max) values with mssql-python needs.

mssql-python holds Python's lock while it waits for the network inside of a (max) value, as Arrow
and in rows alike; a server in the same process could never send the rest.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.sql_server.server import SqlServer

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class SeparateServer:
    """What a client needs to know of it."""

    port: int


@contextmanager
def separate_server(engine: str) -> Iterator[SeparateServer]:
    """Serve the engine that `module:function` returns, until the block ends."""
    command = [sys.executable, "-m", __name__, engine]
    with subprocess.Popen(
        command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin:  # its end tells the server to stop
            yield SeparateServer(int(process.stdout.readline()))


def _serve(engine: str) -> None:
    module, function = engine.split(":")
    with SqlServer(getattr(import_module(module), function)()) as server:
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    _serve(sys.argv[1])
