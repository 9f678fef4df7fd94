"""A server in its own process, which reading (max) values with mssql-python requires.

mssql-python holds the GIL while it waits for the network within a (max) value, as Arrow
and as rows alike; a server in the same process could never send the rest.
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
    """What a client needs to connect."""

    port: int


@contextmanager
def separate_server(engine: str) -> Iterator[SeparateServer]:
    """Serve the engine that `module:function` returns, until the block exits."""
    command = [sys.executable, "-m", __name__, engine]
    with subprocess.Popen(
        command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin:  # closing stdin tells the server to stop
            yield SeparateServer(int(process.stdout.readline()))


def _serve(engine: str) -> None:
    module, function = engine.split(":")
    with SqlServer(getattr(import_module(module), function)()) as server:
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    _serve(sys.argv[1])
