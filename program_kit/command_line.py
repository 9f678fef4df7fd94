"""Reads configuration files, and turns errors into messages and exit codes."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn

from program_kit.signals import is_signal_exit_code
from program_kit.startup import PARENT_VARIABLE
from program_kit.text_files import UNREADABLE, describe_read_error, read_json

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Sequence

ENV = "ENV"
"""In the place of a configuration file: read settings from environment variables."""
OUTPUT_CLOSED_EXIT_CODE = 141
"""What a shell reports for SIGPIPE: the reader of stdout closed the pipe."""


def run_program(cli: Callable[[], Any], logger: logging.Logger, errors: type[Exception]) -> None:
    """Run a command line and exit; `errors` is the base class of errors with an `exit_code`."""
    try:
        cli()
    except errors as error:
        exit_code = getattr(error, "exit_code", 1)
        _log(error, exit_code, logger)
        if is_signal_exit_code(exit_code):
            _exit_at_once(exit_code)
        _exit(exit_code)
    except BrokenPipeError:  # while printing a table; silent, too
        _exit_at_once(OUTPUT_CLOSED_EXIT_CODE)
    except SystemExit as end:
        if end.code:
            raise
    _exit(0)


def _log(error: Exception, exit_code: int, logger: logging.Logger) -> None:
    """Log what ended a program; nothing for a closed pipe, like SIGPIPE.

    A parent that started the program says itself that the run was interrupted.
    """
    if exit_code == OUTPUT_CLOSED_EXIT_CODE:
        return
    if is_signal_exit_code(exit_code):
        if PARENT_VARIABLE not in os.environ:
            logger.warning("%s", error)
        return
    for problem in getattr(error, "problems", (str(error),)):
        logger.error("%s", problem)


def _exit_at_once(exit_code: int) -> NoReturn:
    """Exit without flushing stdout, which may have no reader."""
    sys.stderr.flush()
    os._exit(exit_code)


def _exit(exit_code: int) -> NoReturn:
    """Exit; at once if a thread is left in a driver, which an ordinary exit would wait for."""
    if any(thread.daemon for thread in threading.enumerate()):
        sys.stderr.flush()
        try:
            sys.stdout.flush()
        except OSError:  # output was lost, which is a failure
            exit_code = exit_code or 1
        os._exit(exit_code)
    sys.exit(exit_code)


def read_config(paths: Sequence[str], error: type[Exception]) -> dict[str, Any]:
    """Merge JSON configuration files, later ones over earlier ones; `ENV` is skipped.

    Raises `error` with a message that names the file and contains nothing of it.
    """
    config: dict[str, Any] = {}
    for path in paths:
        if path != ENV:
            config |= _read_object(path, error)
    return config


def _read_object(path: str, error: type[Exception]) -> dict[str, Any]:
    try:
        config = read_json(path)
    except UNREADABLE as reason:
        raise error(
            f"The configuration file {path} cannot be read: {describe_read_error(reason)}."
        ) from reason
    if not isinstance(config, dict):
        raise error(f"The configuration file {path} does not contain a JSON object.")
    return config
