"""The state file: whole at any moment, and one run's at a time."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.errors import AlreadyRunning, StateNotWritten, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class StateFile:
    """A Singer state on disk.

    Killed at any moment, even by a power cut, the file is the old state or a newer one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs with this file away. Raises AlreadyRunning or StateNotWritten."""
        path = self._beside("lock")
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateNotWritten(f"{path} cannot be opened ({error.strerror}).") from error
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise AlreadyRunning(
                    f"Another run with {self.path} is not over; nothing was done."
                ) from error
            yield
        finally:
            os.close(file)

    def read(self) -> dict[str, Any]:
        """The state; empty if there is no file. Raises UsageError if it holds none."""
        try:
            state = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise UsageError(
                f"The state file {self.path} cannot be read. Restore it; nothing was read. To "
                "start without one, move it away."
            ) from error
        if not isinstance(state, dict):
            raise UsageError(f"The state file {self.path} holds no JSON object.")
        return state

    def replace(self, state: bytes) -> None:
        """Put a state, JSON on a line, in the place of the last. Raises StateNotWritten."""
        new = self._beside("next")
        try:
            file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(file, "wb") as stream:
                stream.write(state)
                stream.flush()
                os.fsync(stream.fileno())
            new.replace(self.path)
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise StateNotWritten(
                f"The state {self.path} cannot be written ({error.strerror}). The next run repeats "
                "what this one sent since the last one that was."
            ) from error

    def _beside(self, ending: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{ending}")
