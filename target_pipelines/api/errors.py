"""The errors of the target, by what the operator does next. Each carries its exit code.

    PipelinesError                  1    a bug: report it
    ├── ConfigurationError          2    correct the settings (all problems are listed at once)
    ├── DeliveryError               4    look at the destination, then run again
    │   ├── DeliveryStopped         4    the destination refuses this run: credentials, address
    │   └── InputError              4    the tap's messages broke off or are none; run it again
    │       ├── RecordWithoutSchema 4    a RECORD came before the SCHEMA of its stream
    │       └── RecordWithoutKey    4    a RECORD lacks a key property of its stream
    ├── TooManyRejected             5    look at the dead letters; correct the query or the mapping
    ├── PluginError                 6    correct, update or block the plugin
    ├── Interrupted          129-143    a signal ended the run; run it again
    └── OutputClosed                141    nobody reads the states; as a shell shows SIGPIPE

In all of them the last STATE on stdout covers settled records only, so that the next run loses
nothing. Messages never hold values of rows, write keys or answers of a server.
"""

from __future__ import annotations


class PipelinesError(Exception):
    """Base of all errors that the target raises on purpose."""

    exit_code = 1


class ConfigurationError(PipelinesError):
    """One or more settings are wrong; `problems` has a sentence for each."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class DeliveryError(PipelinesError):
    """Calls are left that were not delivered; no STATE covers them."""

    exit_code = 4


class DeliveryStopped(DeliveryError):  # noqa: N818 - reads as what happened
    """The destination will take no call of this run."""


class InputError(DeliveryError):
    """A line of the input is no Singer message."""


class RecordWithoutSchema(InputError):  # noqa: N818 - reads as what happened
    """A RECORD came before the SCHEMA of its stream."""


class RecordWithoutKey(InputError):  # noqa: N818 - as above
    """A RECORD lacks a key property that its SCHEMA promised."""


class TooManyRejected(PipelinesError):  # noqa: N818 - reads as what happened
    """More calls became dead letters than `max_rejected_ratio` allows."""

    exit_code = 5


class PluginError(PipelinesError):
    """A plugin cannot be used; the message names it and the remedy."""

    exit_code = 6


class Interrupted(PipelinesError):  # noqa: N818 - not a failure of the target
    """A signal asked the run to end."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"interrupted by signal {signal_number}")
        self.exit_code = 128 + signal_number


class OutputClosed(PipelinesError):  # noqa: N818 - reads as what happened
    """Whoever read our stdout is gone."""

    exit_code = 141
