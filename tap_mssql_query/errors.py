"""The errors of the tap, by what the operator does next, with their exit codes.

    TapError                    1    a bug: report it
    ├── ConfigurationError      2    correct the settings (all problems are listed at once)
    │   └── StateError          2    correct or remove the state file
    ├── ServerError             3    look at SQL Server
    │   ├── ConnectionFailed    3    host, port, credentials, database, TLS, driver
    │   └── QueryFailed         3    the query of one sync; the others still run
    ├── Interrupted      129-143    a signal ended the run; run it again
    └── OutputClosed          141    the reader of stdout closed the pipe (SIGPIPE)
        └── OutputFailed       74    stdout cannot be written: free disk space

A message says what failed, where, and what to do. It never contains row values, passwords or
tokens.
"""

from __future__ import annotations

from program_kit.errors import ProgramError
from program_kit.signals import signal_exit_code, signal_name


class TapError(ProgramError):
    """Base class of the errors that the tap raises."""


class ConfigurationError(TapError):
    """One or more settings are wrong; `problems` has a sentence for each."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class StateError(ConfigurationError):
    """The state passed to the tap cannot be used; nothing was read."""


class ServerError(TapError):
    """SQL Server, or the connection to it, failed.

    `number` is SQL Server's error number, None for an error of the driver.
    """

    exit_code = 3

    def __init__(self, message: str, *, number: int | None = None, sqlstate: str = "") -> None:
        super().__init__(message)
        self.number = number
        self.sqlstate = sqlstate


class ConnectionFailed(ServerError):  # noqa: N818 - named for what happened
    """No session could be opened."""


class QueryFailed(ServerError):  # noqa: N818 - named for what happened
    """A query was refused, or failed before its last row."""


class Interrupted(TapError):  # noqa: N818 - not a failure of the tap
    """A signal stopped the run."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(
            f"Interrupted by {signal_name(signal_number)}. Syncs that were not read to their end "
            "keep their bookmarks: the next run continues from the last STATE and reads again what "
            "it does not cover."
        )
        self.exit_code = signal_exit_code(signal_number)


class OutputClosed(TapError):  # noqa: N818 - named for what happened
    """The reader of stdout closed the pipe."""

    exit_code = 141


class OutputFailed(OutputClosed):
    """stdout cannot be written, such as into a full disk."""

    exit_code = 74
