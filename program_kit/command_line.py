"""What every program does around its command line: errors to messages and exit codes."""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Sequence

_SIGNALLED = 128
OUTPUT_CLOSED_EXIT_CODE = 141
"""What a shell reports for SIGPIPE: the reader of stdout closed the pipe."""


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
            _exit_at_once(exit_code)
        _exit(exit_code)
    except BrokenPipeError:  # of a table; quiet as well
        _exit_at_once(OUTPUT_CLOSED_EXIT_CODE)
    except SystemExit as end:
        if end.code:
            raise
    _exit(0)


def _exit_at_once(exit_code: int) -> NoReturn:
    """End without flushing stdout, which has no reader any more."""
    sys.stderr.flush()
    os._exit(exit_code)


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
