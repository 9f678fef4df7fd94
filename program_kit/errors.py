"""The base of the errors that a program reports without a traceback."""

from __future__ import annotations


class ProgramError(Exception):
    """An expected error. `run_program` logs its message and exits with its code."""

    exit_code = 1


class StdoutFailed(ProgramError):  # noqa: N818 - reads as what happened
    """A table could not be written to stdout, such as into a full disk."""

    exit_code = 74
