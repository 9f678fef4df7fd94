"""The conductor's own errors, by what the operator does next. Each carries its exit code.

    ConductorError          1    a bug: report it
    ├── UsageError          2    correct the settings or the command line
    ├── ClusterFailed       4    look at the cluster, then run again
    ├── StateNotWritten     74   make room for the state file; the next run repeats what was sent
    └── AlreadyRunning      75   wait: another run of this state is not over

All other exit codes are those of the target, if it failed, or of the tap.
"""

from __future__ import annotations


class ConductorError(Exception):
    """Base of all errors that the conductor raises on purpose."""

    exit_code = 1


class UsageError(ConductorError):
    """What was asked for cannot be done like this."""

    exit_code = 2


class ClusterFailed(ConductorError):  # noqa: N818 - reads as what happened
    """The cluster went away, or a task of it failed for good."""

    exit_code = 4


class StateNotWritten(ConductorError):  # noqa: N818 - reads as what happened
    """The state file could not be replaced."""

    exit_code = 74


class AlreadyRunning(ConductorError):  # noqa: N818 - reads as what happened
    """Somebody else holds the lock of the state file."""

    exit_code = 75
