"""What both programs do around their command line: start fast; errors → messages, exit codes."""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Sequence

_SIGNALLED = 128
PARENT_VARIABLE = "MSSQL_REVERSE_ETL_PARENT"
"""Environment variable: the number of a process without which this one is not to go on."""
_MANY_OBJECTS = 50_000
"""After so many new ones garbage is looked for: rows come and go by the block, without cycles."""
OUTPUT_CLOSED_EXIT_CODE = 141
"""As a shell shows SIGPIPE: whoever read our stdout is gone."""


def tap() -> None:
    """The console script `tap-mssql-query`."""
    _start("tap_mssql_query.tap")


def target() -> None:
    """The console script `target-pipelines`."""
    _start("target_pipelines.command_line")


def _start(program: str) -> None:
    """Load a program and run its `main`.

    Loading makes no garbage, and what is loaded never becomes any: looking for it would take a
    quarter of the start.
    """
    gc.disable()
    if parent := os.environ.get(PARENT_VARIABLE):
        _end_with(int(parent))
    module = importlib.import_module(program)
    gc.freeze()
    gc.set_threshold(_MANY_OBJECTS)
    gc.enable()
    module.main()


def _end_with(parent: int) -> None:
    from program_kit.parent_process import end_with  # noqa: PLC0415 - seldom needed

    if not end_with(parent, signal.SIGTERM):
        os._exit(_SIGNALLED + signal.SIGTERM)


def run_program(cli: Callable[[], Any], logger: logging.Logger, errors: type[Exception]) -> None:
    """Run a command line; `errors` is the base of those with an `exit_code` of their own."""
    try:
        cli()
    except errors as error:
        exit_code = getattr(error, "exit_code", 1)
        if exit_code != OUTPUT_CLOSED_EXIT_CODE:  # that one is quiet, as SIGPIPE is
            for problem in getattr(error, "problems", (str(error),)):
                logger.error("%s", problem)  # noqa: TRY400 - a message for people, not a bug
        if exit_code > _SIGNALLED:
            # Not as usual: Python would try to write what nobody reads.
            sys.stderr.flush()
            os._exit(exit_code)
        _exit(exit_code)
    except SystemExit as end:
        if end.code:
            raise
    _exit(0)


def _exit(exit_code: int) -> NoReturn:
    """End; at once if a thread still waits: at an ordinary exit a driver would wait with it."""
    if any(thread.daemon for thread in threading.enumerate()):
        sys.stderr.flush()
        try:
            sys.stdout.flush()
        except OSError:  # what was to be written is lost, and that is no success
            exit_code = exit_code or 1
        os._exit(exit_code)
    sys.exit(exit_code)


def say_unreadable(paths: Sequence[str], error: OSError | ValueError | TypeError) -> str:
    """The message for configuration files that cannot be read."""
    return f"The configuration {', '.join(paths)} cannot be read: {reason_of(error)}."


def reason_of(error: OSError | ValueError | TypeError) -> str:
    """Why, without a piece of the file: it may hold a password."""
    if isinstance(error, json.JSONDecodeError):
        return f"no JSON at line {error.lineno}, column {error.colno}"
    return getattr(error, "strerror", None) or type(error).__name__
