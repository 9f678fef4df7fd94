"""The errors of the target, by what the operator does next, with their exit codes.

    PipelinesError                  1    a bug: report it
    ├── ConfigurationError          2    correct the settings (all problems are listed at once)
    ├── DeliveryError               4    check the destination, then run again
    │   ├── DeliveryStopped         4    the destination accepts no call: check key and endpoint
    │   └── InputError              4    the input is truncated or not Singer messages; run again
    │       ├── RecordWithoutSchema 4    a RECORD precedes the SCHEMA of its stream
    │       └── RecordWithoutKey    4    a RECORD lacks a key property of its stream
    ├── TooManyRejected             5    look at the reasons; correct the query or the mapping
    ├── PluginError                 6    correct, update or block the plugin
    ├── StreamsFailed            1-6     several streams failed: the worst of their codes
    ├── AlreadyReplaying           75    wait: another replay of the same dead letters is not over
    ├── Interrupted          129-143    a signal ended the run; run it again
    └── OutputClosed                141    stdout was closed (SIGPIPE)

An error of one stream does not stop the others: the run raises it at its end. In all cases the last
STATE on stdout covers settled records only, so the next run loses nothing.
Messages never contain row values, write keys or response bodies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from program_kit.errors import ProgramError
from program_kit.exit_codes import worst_exit_code
from program_kit.signals import signal_exit_code, signal_name

if TYPE_CHECKING:
    from collections.abc import Mapping


class PipelinesError(ProgramError):
    """Base class of the target's errors."""


class ConfigurationError(PipelinesError):
    """One or more settings are invalid; `problems` has a sentence for each."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class DeliveryError(PipelinesError):
    """Calls were not delivered; no STATE covers them."""

    exit_code = 4


class DeliveryStopped(DeliveryError):  # noqa: N818 - reads as what happened
    """The destination accepts no call of this run."""


class InputError(DeliveryError):
    """A line of the input is not a Singer message."""


class RecordWithoutSchema(InputError):  # noqa: N818 - reads as what happened
    """A RECORD precedes the SCHEMA of its stream."""


class RecordWithoutKey(InputError):  # noqa: N818 - as above
    """A RECORD lacks a key property of its SCHEMA."""


class TooManyRejected(PipelinesError):  # noqa: N818 - reads as what happened
    """More rows of a stream were rejected than `max_rejected_ratio` allows."""

    exit_code = 5


class PluginError(PipelinesError):
    """A plugin cannot be used; the message names it and how to continue without it."""

    exit_code = 6


class AlreadyReplaying(PipelinesError):  # noqa: N818 - reads as what happened
    """Another replay of the same dead letters is not over."""

    exit_code = 75


class StreamsFailed(PipelinesError):  # noqa: N818 - reads as what happened
    """Several streams failed, each alone; `problems` has the message of each."""

    def __init__(self, errors: Mapping[str, PipelinesError]) -> None:
        self.problems = tuple(dict.fromkeys(map(str, errors.values())))
        super().__init__("\n".join(self.problems))
        self.exit_code = worst_exit_code(error.exit_code for error in errors.values())


class Interrupted(PipelinesError):  # noqa: N818 - not a failure of the target
    """A signal ended the run; `outlook` says what is settled and what the next run does."""

    def __init__(self, signal_number: int, outlook: str = "") -> None:
        super().__init__(f"Interrupted by {signal_name(signal_number)}. {outlook}".strip())
        self.signal_number = signal_number
        self.exit_code = signal_exit_code(signal_number)


class OutputClosed(PipelinesError):  # noqa: N818 - reads as what happened
    """The reader of stdout closed the pipe."""

    exit_code = 141
