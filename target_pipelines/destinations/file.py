"""The destination `file`: one call per line."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from target_pipelines import (
    ConfigurationError,
    Delivered,
    DestinationType,
    EncodedCall,
    Fatal,
    Limits,
    Outcome,
    hookimpl,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_pipelines import TargetSettings

_LIMITS = Limits(call_max_bytes=sys.maxsize, batch_max_bytes=1024 * 1024)


class FileDestination:
    """A file, which is made when its sender is opened: a dry run makes none."""

    limits = _LIMITS
    max_lanes = 1  # keeps the file in row order

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def event_schemas(self) -> Mapping[str, Mapping[str, Any]]:
        """None: a file accepts any event."""
        return {}

    def open_sender(self) -> FileSender:
        """Open the file for appending. Raises ConfigurationError."""
        path = self._path
        try:
            file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            if _ends_in_mid_line(path):
                os.write(file, b"\n")
        except OSError as error:
            raise ConfigurationError(
                f"Setting `output_path`: {path} cannot be opened ({error.strerror}). Correct it."
            ) from error
        return FileSender(file, str(path))

    def close(self) -> None:
        """Do nothing: the process ends."""


class FileSender:
    """Appends calls to a file; when `send` returns, they are on the disk."""

    def __init__(self, file: int, name: str) -> None:
        self._file = file
        self._name = name

    def send(self, calls: Sequence[EncodedCall]) -> Outcome:
        """Append the calls; a partial line after an error is not valid JSON."""
        view = memoryview(b"".join(call.body + b"\n" for call in calls))
        try:
            while view:
                view = view[os.write(self._file, view) :]
            _sync(self._file)
        except OSError as error:
            return Fatal(f"{self._name} cannot be written: {error.strerror}")
        return Delivered()

    def close(self) -> None:
        """Do nothing: the process ends."""


def _sync(file: int) -> None:
    """fsync, except for pipes and terminals, which do not support it."""
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise


def _ends_in_mid_line(path: Path) -> bool:
    """Whether a writer was killed or the disk was full: the next call must start a new line.

    The partial line stays, since another run may be writing; it is not valid JSON.
    """
    if not path.is_file() or not path.stat().st_size:
        return False
    with path.open("rb") as written:
        written.seek(-1, os.SEEK_END)
        return written.read() != b"\n"


def open_file(settings: TargetSettings) -> FileDestination:
    """The file that the settings name."""
    return FileDestination(Path(settings.output_path))


@hookimpl
def register_destinations(register) -> None:  # type: ignore[no-untyped-def]
    """Register `file`."""
    register(DestinationType(name="file", open=open_file))
