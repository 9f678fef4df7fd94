"""The front door's own errors, by what the operator does next. Each carries its exit code.

    ReverseETLError         1    a bug: report it
    ├── UsageError          2    correct the settings or the command line
    ├── ClusterFailed       4    check the cluster, then run again
    ├── StateNotWritten     74   make the state file writable; the next run repeats what was sent
    ├── AlreadyRunning      75   wait: another run is using the state file
    ├── Interrupted         128+ a signal ended the run before it began to read
    └── LockUnproved         -   never leaves the watch of the locks

All other exit codes are those of both programs: the worst of all syncs, in the order of
`program_kit.exit_codes`. If a signal ended the run, its exit code is that signal's.
"""

from __future__ import annotations

from program_kit.errors import ProgramError
from program_kit.signals import signal_exit_code, signal_name


class ReverseETLError(ProgramError):
    """Base of all errors that the front door raises on purpose."""


class UsageError(ReverseETLError):
    """The settings or the command line are wrong; `problems` has a sentence for each."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class ClusterFailed(ReverseETLError):  # noqa: N818 - reads as what happened
    """The cluster cannot be reached or was lost."""

    exit_code = 4


class StateNotWritten(ReverseETLError):  # noqa: N818 - reads as what happened
    """The state file could not be replaced."""

    exit_code = 74


class AlreadyRunning(ReverseETLError):  # noqa: N818 - reads as what happened
    """Another run holds the lock of the state file."""

    exit_code = 75


class Interrupted(ReverseETLError):  # noqa: N818 - reads as what happened
    """A signal ended the run before the programs started."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"Interrupted by {signal_name(signal_number)} before anything was read.")
        self.exit_code = signal_exit_code(signal_number)


class LockUnproved(ReverseETLError):  # noqa: N818 - reads as what happened
    """Whether a lock is still held could not be found out; the next question may."""
