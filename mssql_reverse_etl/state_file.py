"""The state file of a run: replaced atomically, used by one run at a time."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.errors import AlreadyRunning, StateNotWritten, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class StateFile:
    """A Singer state on disk.

    After a kill or a power cut at any point the file holds the previous state or a newer one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs from using this file. Raises AlreadyRunning or StateNotWritten."""
        path = self._sibling("lock")
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateNotWritten(
                f"The lock file {path} cannot be opened ({error.strerror}). Let this user write to "
                "its folder."
            ) from error
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise AlreadyRunning(
                    f"Another run is using the state file {self.path}; nothing was done. Wait "
                    "until it has ended."
                ) from error
            yield
        finally:
            os.close(file)

    def read(self) -> dict[str, Any]:
        """The state; empty if there is no file. Raises UsageError if the file is damaged."""
        try:
            state = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise self._damaged("cannot be read") from error
        if not isinstance(state, dict):
            raise self._damaged("is not a JSON object")
        return state

    def write(self, state: Mapping[str, Any]) -> None:
        """Replace the state. Raises StateNotWritten."""
        self.replace(json.dumps(state, separators=(",", ":")).encode() + b"\n")

    def replace(self, line: bytes) -> None:
        """Replace the state by one that is encoded as a line of JSON. Raises StateNotWritten."""
        try:
            self._replace(line)
        except OSError as error:
            raise StateNotWritten(
                f"The state file {self.path} cannot be written ({error.strerror}). The next run "
                "sends again what was sent after the last state that was written."
            ) from error

    def _replace(self, line: bytes) -> None:
        new = self._sibling("next")
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "wb") as stream:
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _damaged(self, problem: str) -> UsageError:
        return UsageError(
            f"The state file {self.path} {problem}; nothing was done. Restore it from a backup, or "
            "move it away to start without a state."
        )

    def _sibling(self, ending: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{ending}")
