"""The base of the errors that a program reports without a traceback."""

from __future__ import annotations


class ProgramError(Exception):
    """An expected error. `run_program` logs its message and exits with its code."""

    exit_code = 1
