"""The log of every program: its format, its level, and what its messages may contain."""

from __future__ import annotations

import logging
import os

from program_kit.printable import printable

LOG_FORMAT = "{asctime:23s} | {levelname:8s} | {name:30s} | {message}"
"""For `logging.basicConfig(format=LOG_FORMAT, style="{")`."""


class _PrintableRecord(logging.LogRecord):
    """A record in whose message nothing controls the terminal, whoever wrote it."""

    def getMessage(self) -> str:  # noqa: N802 - a name of logging
        return printable(super().getMessage())


def protect_log() -> None:
    """Make all further messages printable, those of libraries included, in every format."""
    logging.setLogRecordFactory(_PrintableRecord)


def find_level_problem(program: str) -> str:
    """What is wrong with the level that the environment sets: a sentence, or nothing."""
    variable = _level_variable(program)
    if variable is None or os.environ[variable].upper() in logging.getLevelNamesMapping():
        return ""
    return (
        f"The environment variable {variable} is no level of a log. Set it to DEBUG, INFO, "
        "WARNING, ERROR or CRITICAL."
    )


def has_log_level(program: str) -> bool:
    """Whether the environment sets a level."""
    return _level_variable(program) is not None


def log_level(program: str) -> str:
    """The level that the environment sets; INFO if it sets none, or none that exists."""
    variable = _level_variable(program)
    if variable is None or find_level_problem(program):
        return "INFO"
    return os.environ[variable].upper()


def _level_variable(program: str) -> str | None:
    """The variable of a program, such as `tap-mssql-query`, or else that of all."""
    variables = (f"{program.upper().replace('-', '_')}_LOGLEVEL", "LOGLEVEL")
    return next((variable for variable in variables if os.environ.get(variable)), None)
