"""The state file of a run: replaced atomically, used by one run at a time."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.errors import AlreadyRunning, StateNotWritten, UsageError
from mssql_reverse_etl.run.lock_watch import WatchedLock
from program_kit.file_locks import is_at, is_locked, lock_file, try_lock
from program_kit.replaced_file import SmallJSONFile, find_file_problem, is_null_device
from program_kit.text_files import UNREADABLE, describe_read_error, read_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class StateFile:
    """A Singer state on disk; `/dev/null` stands for none.

    After a kill or a power cut at any point the file holds the previous state or a newer one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = SmallJSONFile(path)
        self._is_null = is_null_device(path)
        self._lock_file: int | None = None
        self._lock_path: Path | None = None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs from using this file, which can be replaced.

        Raises AlreadyRunning, UsageError or StateNotWritten.
        """
        if self._is_null:
            yield
            return
        if problem := find_file_problem(self.path):
            raise UsageError(f"--state: {self.path} {problem}. Name a file.")
        with self._lock() as self._lock_file:
            if self._lock_file is None:
                raise AlreadyRunning(
                    f"Another run is using the state file {self.path}; nothing was done. Wait "
                    "until it has ended."
                )
            try:
                self._file.check()
            except OSError as error:
                raise StateNotWritten(
                    f"The state file {self.path} cannot be written ({error.strerror}); nothing was "
                    "done. Let this user write to it or to its folder."
                ) from error
            yield

    @contextlib.contextmanager
    def _lock(self) -> Iterator[int | None]:
        """Lock a file beside it; the file itself if none can be there, so that it stays the same.

        Yields the file's descriptor, None if another run holds the lock. Raises StateNotWritten.
        """
        with contextlib.ExitStack() as stack:
            lock: int | None
            path = self._file.sibling("lock")
            try:
                lock = stack.enter_context(lock_file(path, is_kept=True))
                self._lock_path = path
            except OSError as error:
                try:
                    file = os.open(self._file.path, os.O_RDWR | os.O_CLOEXEC)
                except OSError:
                    raise StateNotWritten(
                        f"The lock file {path} cannot be opened "
                        f"({error.strerror}); nothing was done. Let this user write to its folder."
                    ) from error
                stack.callback(os.close, file)
                lock = file if try_lock(file) else None
            yield lock

    def watched(self) -> list[WatchedLock]:
        """The lock, which is lost if its file is deleted, or by a network's file system."""
        if self._lock_file is None:
            return []
        return [
            WatchedLock(
                protects=f"the state file {self.path}",
                syncs=(),
                exit_code=AlreadyRunning.exit_code,
                find_loss=lambda _: self._find_lock_loss(),
            )
        ]

    def _find_lock_loss(self) -> str | None:
        """How the lock was lost; None if it is held."""
        lock, path = self._lock_file, self._lock_path
        if lock is None:
            return None
        try:
            if path is not None and not is_at(lock, path):
                return f"{path} was deleted or replaced"
            return None if try_lock(lock) else "another process holds it"
        except OSError as error:
            return f"it cannot be used ({error.strerror})"

    def is_in_use(self) -> bool:
        """Whether a run holds the lock. Raises OSError."""
        return is_locked(self._file.sibling("lock"))

    def exists(self) -> bool:
        """Whether there is a state."""
        return not self._is_null and self.path.exists()

    def read(self) -> dict[str, Any]:
        """The state; empty if there is no file. Raises UsageError if the file is damaged."""
        if self._is_null:
            return {}
        try:
            state = read_json(self._file.path)
        except FileNotFoundError:
            return {}
        except PermissionError as error:
            raise UsageError(
                f"The state file {self.path} belongs to another user; nothing was done. Run as "
                "that user, or let this one read and write it."
            ) from error
        except UNREADABLE as error:
            raise self._damaged(f"cannot be read ({describe_read_error(error)})") from error
        if not isinstance(state, dict):
            raise self._damaged("is not a JSON object")
        return state

    def write(self, state: Mapping[str, Any]) -> None:
        """Replace the state. Raises StateNotWritten."""
        self.replace(json.dumps(state, separators=(",", ":")).encode() + b"\n")

    def replace(self, line: bytes) -> None:
        """Replace the state by one that is encoded as a line of JSON. Raises StateNotWritten."""
        if self._is_null:
            return
        try:
            self._file.replace([line])
        except OSError as error:
            raise StateNotWritten(
                f"The state file {self.path} cannot be written ({error.strerror}). The next run "
                "sends again what was sent after the last state that was written."
            ) from error

    def _damaged(self, problem: str) -> UsageError:
        return UsageError(
            f"The state file {self.path} {problem}; nothing was done. Restore it from a backup, or "
            "move it away to start without a state."
        )
