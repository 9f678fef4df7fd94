"""Reads configuration files, and turns errors into messages and exit codes."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn

from program_kit.errors import ProgramError, StdoutFailed
from program_kit.events import IS_OUTCOME
from program_kit.logs import find_level_problem, protect_log
from program_kit.signals import is_signal_exit_code
from program_kit.startup import PARENT_VARIABLE
from program_kit.text_files import UNREADABLE, describe_read_error, read_json

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Sequence

    from program_kit.environment import Environment

ENV = "ENV"
"""In the place of a configuration file: read settings from environment variables."""
_USAGE_EXIT_CODE = 2
OUTPUT_CLOSED_EXIT_CODE = 141
"""What a shell reports for SIGPIPE: the reader of stdout closed the pipe."""


def run_program(cli: Callable[[], Any], logger: logging.Logger) -> None:
    """Run a command line and exit, with the exit code of a ProgramError that it raises."""
    protect_log()
    if problem := find_level_problem(logger.name):
        logger.error("%s", problem)
        sys.exit(_USAGE_EXIT_CODE)
    try:
        cli()
    except ProgramError as error:
        _log(error, error.exit_code, logger)
        if is_signal_exit_code(error.exit_code) or isinstance(error, StdoutFailed):
            _exit_at_once(error.exit_code)
        _exit(error.exit_code)
    except BrokenPipeError:  # while printing a table; silent, too
        _exit_at_once(OUTPUT_CLOSED_EXIT_CODE)
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        _exit(end.code or 0)
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
        logger.error("%s", problem, extra=IS_OUTCOME)


def _exit_at_once(exit_code: int) -> NoReturn:
    """Exit without flushing stdout, which may have no reader."""
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    os._exit(exit_code)


def _exit(exit_code: int) -> NoReturn:
    """Exit; at once if a thread is left in a driver, which an ordinary exit would wait for."""
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    if any(thread.daemon for thread in threading.enumerate()):
        try:
            sys.stdout.flush()
        except OSError:  # output was lost, which is a failure
            exit_code = exit_code or 1
        os._exit(exit_code)
    sys.exit(exit_code)


def read_config(
    paths: Sequence[str], error: type[Exception], environment: Environment | None = None
) -> dict[str, Any]:
    """Merge JSON configuration files and, for `ENV`, the environment; later ones over earlier ones.

    Raises `error` with messages that name the file or the variable, and contain nothing of it.
    """
    config: dict[str, Any] = {}
    for path in paths:
        if path != ENV:
            config |= _read_object(path, error)
        elif environment:
            config |= environment.read(error)
    return environment.with_numbers(config) if environment else config


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
