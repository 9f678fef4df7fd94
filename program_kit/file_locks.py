"""Locks of files against other processes; waiting for one can be ended."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_POLL_SECONDS = 0.1
_PRIVATE = 0o600
_ATTEMPTS, _PATIENCE_SECONDS = 3, 0.02

logger = logging.getLogger(__name__)


def is_at(file: int, path: Path) -> bool:
    """Whether a path still refers to an open file."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file), path.stat())
    return False


@contextlib.contextmanager
def locked(path: Path, flags: int, check_interrupted: Callable[[], None]) -> Iterator[int]:
    """Open a file and lock it; yields its descriptor. Raises OSError.

    Waits while another process holds the lock; `check_interrupted` may raise to end the wait.
    """
    while True:
        file = os.open(path, flags | os.O_CLOEXEC, _PRIVATE)
        try:
            _wait_for_lock(file, path, check_interrupted)
            if not is_at(file, path):  # it was deleted, or another process replaced it
                continue
            yield file
            return
        finally:
            os.close(file)


def _wait_for_lock(file: int, path: Path, check_interrupted: Callable[[], None]) -> None:
    has_waited = False
    while not try_lock(file):
        if not has_waited:
            logger.info("Waiting for another process to release the file %s.", path)
            has_waited = True
        check_interrupted()
        threading.Event().wait(_POLL_SECONDS)


def try_lock(file: int) -> bool:
    """Lock an open file, unless another process has locked it. Raises OSError."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_locked(path: Path) -> bool:
    """Whether another process holds the lock of a file, which may not exist. Raises OSError.

    Asking takes a shared lock for an instant: `lock_file` tries again for longer than that.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _try_patiently(file: int) -> bool:
    """Lock an open file, unless another process holds it for longer than a question takes."""
    for _ in range(_ATTEMPTS - 1):
        if try_lock(file):
            return True
        threading.Event().wait(_PATIENCE_SECONDS)
    return try_lock(file)


@contextlib.contextmanager
def lock_file(path: Path, *, is_kept: bool) -> Iterator[int | None]:
    """Hold a file that only serves as a lock; yields its descriptor, None if another process does.

    Raises OSError. Unless it is to be kept, the file is removed at the end.
    """
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _PRIVATE)
        try:
            if not _try_patiently(file):
                yield None
                return
            if not is_at(file, path):  # its holder removed it just now
                continue
            try:
                yield file
            finally:
                if not is_kept:
                    path.unlink(missing_ok=True)
            return
        finally:
            os.close(file)
