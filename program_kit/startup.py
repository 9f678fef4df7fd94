"""Starts a program: tunes garbage collection, and ends the program with its parent."""

from __future__ import annotations

import gc
import importlib
import io
import os
import signal
import sys
from typing import cast

PARENT_VARIABLE = "MSSQL_REVERSE_ETL_PARENT"
"""Environment variable: the process id of the parent that this process must not outlive."""
_GC_THRESHOLD = 50_000
"""New objects between two collections: rows are created and freed in blocks and form no cycles."""


def start(program: str) -> None:
    """Import the module `program` and call its `main`.

    Garbage collection is off during the import: it would take a quarter of the start-up time, and
    imported modules are never freed.
    """
    gc.disable()
    open_closed_streams()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # until a run handles it: no traceback
    if parent := os.environ.get(PARENT_VARIABLE):
        _end_with(int(parent))
    module = importlib.import_module(program)
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD)
    gc.enable()
    module.main()


def open_closed_streams() -> None:
    """Open standard streams that the caller has closed, which Python represents by None.

    stdin is at its end, stderr is dropped, and stdout behaves like a pipe whose reader is gone. And
    what stdout cannot encode is escaped: a table is for people.
    """
    if sys.stdin is None:
        sys.stdin = _open(0, os.open(os.devnull, os.O_RDONLY), "r")
    if sys.stdout is None:
        reader, writer = os.pipe()
        os.close(reader)
        sys.stdout = _open(1, writer, "w")
    if sys.stderr is None:
        sys.stderr = _open(2, os.open(os.devnull, os.O_WRONLY), "w")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _open(number: int, opened: int, mode: str) -> io.TextIOWrapper:
    """A stream over a file descriptor that gets the number of a standard stream."""
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)
    os.set_inheritable(number, True)
    return cast("io.TextIOWrapper", open(number, mode, encoding="utf-8"))


def _end_with(parent: int) -> None:
    from program_kit.parent_process import set_parent_death_signal  # noqa: PLC0415 - rarely needed
    from program_kit.signals import signal_exit_code  # noqa: PLC0415 - rarely needed

    if not set_parent_death_signal(parent, signal.SIGTERM):
        os._exit(signal_exit_code(signal.SIGTERM))
