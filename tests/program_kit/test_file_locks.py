"""Locks of files: held by one process, and asked about by others."""

from __future__ import annotations

import fcntl
import os
import threading

import pytest

from program_kit.file_locks import is_locked, lock_file


def test_lock_that_is_held_is_known(tmp_path):
    """And that it is no longer; a file that does not exist is not locked, and not made."""
    path = tmp_path / "lock"
    assert not is_locked(path)
    assert not path.exists()

    with lock_file(path, is_kept=True):
        assert is_locked(path)

    assert not is_locked(path)


def test_question_keeps_nobody_from_the_lock(tmp_path):
    """It holds a shared lock for less time than `lock_file` tries."""
    path = tmp_path / "lock"
    path.touch()
    asking = os.open(path, os.O_RDONLY)
    fcntl.flock(asking, fcntl.LOCK_SH)
    end = threading.Timer(0.01, os.close, [asking])

    end.start()
    with lock_file(path, is_kept=True) as lock:
        assert lock is not None
    end.join()


@pytest.mark.parametrize("kind", [fcntl.LOCK_EX, fcntl.LOCK_SH])
def test_lock_that_stays_held_is_given_up(tmp_path, kind):
    """Another process holds it."""
    path = tmp_path / "lock"
    with path.open("w") as other:
        fcntl.flock(other, kind)

        with lock_file(path, is_kept=True) as lock:
            assert lock is None
