"""The front door's own errors, by what the operator does next. Each carries its exit code.

    ReverseETLError         1    a bug: report it
    ├── UsageError          2    correct the settings or the command line
    ├── ClusterFailed       4    check the cluster, then run again
    ├── StateNotWritten     74   make the state file writable; the next run repeats what was sent
    ├── AlreadyRunning      75   wait: another run is using the state file
    └── LockUnproved         -   never leaves the watch of the locks

All other exit codes are those of both programs: the worst of all syncs, in the order of
`program_kit.exit_codes`. If a signal ended the run, its exit code is that signal's.
"""

from __future__ import annotations

from program_kit.errors import ProgramError


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


class LockUnproved(ReverseETLError):  # noqa: N818 - reads as what happened
    """Whether a lock is still held could not be found out; the next question may."""
