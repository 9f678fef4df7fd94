"""The file that a program's `report_path` names: removed at the start of a run, written at its end.

A run that ends without a report, because it was killed, leaves none rather than an old one.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from program_kit.command_line import ENV, read_config

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SETTING = "report_path"
_PIPE_SECONDS = 5.0
_MODE = 0o666  # less the umask


def report_path_of(config: Mapping[str, Any]) -> Path | None:
    """The path in a configuration, which may be invalid otherwise."""
    path = config.get(SETTING)
    return Path(path) if isinstance(path, str) and path else None


def find_report_path(paths: Sequence[str], *, env_prefix: str) -> Path | None:
    """The path in configuration files of which some may be unreadable, or in the environment."""
    config: dict[str, Any] = {}
    for path in paths:
        if path == ENV:
            config |= {SETTING: os.environ.get(f"{env_prefix}_{SETTING.upper()}")}
        else:
            with contextlib.suppress(ValueError):
                config |= read_config([path], ValueError)
    return report_path_of(config)


def remove_report(path: Path | None) -> None:
    """Remove the report of an earlier run; anything but a regular file stays."""
    if path is None:
        return
    with contextlib.suppress(OSError):  # writing the new one reports it
        if stat.S_ISREG(path.lstat().st_mode):
            path.unlink()


def find_report_problem(path: Path | None) -> str:
    """Why no report can be written there, found before the run; empty if one can."""
    if path is None:
        return ""
    if path.is_dir():
        reason = "is a folder"
    elif not path.parent.is_dir():
        reason = "is in a folder that does not exist"
    elif not os.access(path if path.exists() else path.parent, os.W_OK):
        reason = "cannot be written by this user"
    else:
        return ""
    return f"Setting `{SETTING}`: {path} {reason}. Correct it."


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """Write a report as JSON. Raises OSError, also for a pipe from which nobody reads."""
    view = memoryview((json.dumps(report, indent=2) + "\n").encode())
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK | os.O_CLOEXEC
    with open(path, "wb", buffering=0, opener=lambda name, _: os.open(name, flags, _MODE)) as file:
        while view:
            if not select.select([], [file], [], _PIPE_SECONDS)[1]:
                raise TimeoutError(errno.ETIMEDOUT, "nobody reads from this pipe")
            view = view[file.write(view) or 0 :]


def describe_end(error: BaseException | None) -> dict[str, Any]:
    """How and when a run ended, as a part of its report: its exit code, and why it failed.

    The text of an unexpected exception may hold values, so only its type is given.
    """
    ended_at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if error is None:
        return {"exit_code": 0, "message": "", "ended_at": ended_at}
    exit_code = getattr(error, "exit_code", None)
    message = type(error).__name__ if exit_code is None else str(error)
    return {"exit_code": exit_code or 1, "message": message, "ended_at": ended_at}
