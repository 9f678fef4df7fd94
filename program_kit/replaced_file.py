"""A file that is replaced as a whole: its links, mode and owner stay, and a kill never tears it."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_PRIVATE = 0o600
_BLOCK_BYTES = 1024 * 1024
_NOT_REPLACEABLE = frozenset({errno.EBUSY, errno.EACCES, errno.EPERM, errno.EROFS, errno.EXDEV})


def find_file_problem(path: Path) -> str:
    """Why a path cannot be a file that is read and replaced, such as "is a folder".

    Empty if it can. A file that does not exist yet is no problem, nor is a link to one.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        is_possible = resolve(path).parent.is_dir()
        return "" if is_possible else "is in a folder that does not exist"
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "is a symbolic link that leads back to itself"
        return f"cannot be used ({error.strerror})"
    if stat.S_ISDIR(mode):
        return "is a folder"
    return "" if stat.S_ISREG(mode) else "is a pipe, a socket or a device instead of a file"


def is_null_device(path: Path) -> bool:
    """Whether a path is /dev/null, which stands for no file."""
    with contextlib.suppress(OSError):
        return os.path.samestat(path.stat(), Path(os.devnull).stat())
    return False


def resolve(path: Path) -> Path:
    """Where symbolic links lead, which need not exist."""
    return Path(os.path.realpath(path))


class ReplacedFile:
    """A file that is replaced by renaming a new one over it. All methods raise OSError.

    Attributes:
        path: where it is, after symbolic links.
    """

    def __init__(self, path: Path) -> None:
        self.path = resolve(path)

    def sibling(self, ending: str) -> Path:
        """A file beside it, such as `state.json.lock`."""
        return self.path.with_name(f"{self.path.name}.{ending}")

    def check(self) -> None:
        """Replace it by a copy of itself; if it does not exist, see that it could be created.

        What would keep it from being replaced is found before a run rather than at its end.
        """
        if not self.path.exists():
            self._write_new(())
            self.sibling("next").unlink()
            return
        with self.path.open("rb") as file:
            self.replace(iter(lambda: file.read(_BLOCK_BYTES), b""))

    def replace(self, chunks: Iterable[bytes]) -> None:
        """Replace the content; after a kill or a power cut it is the old one or the new one."""
        new = self.sibling("next")
        try:
            self._write_new(chunks)
            new.replace(self.path)
        except OSError:
            with contextlib.suppress(OSError):
                new.unlink()
            raise
        sync_folder(self.path.parent)

    def _write_new(self, chunks: Iterable[bytes]) -> None:
        new = self.sibling("next")
        new.unlink(missing_ok=True)  # left by a killed run
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE)
        with os.fdopen(file, "wb") as stream:
            self._keep_attributes(new)
            stream.writelines(chunks)
            stream.flush()
            os.fsync(file)

    def _keep_attributes(self, new: Path) -> None:
        """Give the new file owner, mode and extended attributes of the old one."""
        try:
            old = self.path.stat()
        except FileNotFoundError:
            return
        created = new.stat()
        if (old.st_uid, old.st_gid) != (created.st_uid, created.st_gid):
            os.chown(new, old.st_uid, old.st_gid)
        shutil.copystat(self.path, new)
        os.utime(new)


class SmallJSONFile(ReplacedFile):
    """A small JSON file; where it cannot be replaced, it is overwritten.

    That is so for a file that a container mounts, in a folder that this user may not write to, or
    if its owner would change.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._is_overwritten = False

    def replace(self, chunks: Iterable[bytes]) -> None:
        """Replace the content, or overwrite it."""
        content = b"".join(chunks)
        if not self._is_overwritten:
            try:
                super().replace([content])
            except OSError as error:
                is_possible = self.path.exists() and os.access(self.path, os.W_OK)
                if error.errno not in _NOT_REPLACEABLE or not is_possible:
                    raise
                self._is_overwritten = True
        if self._is_overwritten:
            self._overwrite(content)

    def _overwrite(self, content: bytes) -> None:
        """Overwrite the content with one write, so that a kill leaves the old one or the new one.

        Blanks cover the rest of a longer one until the file is cut: they mean nothing in JSON.
        """
        file = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.pwrite(file, content.ljust(os.fstat(file).st_size), 0)
            os.fsync(file)
            os.ftruncate(file, len(content))
            os.fsync(file)
        finally:
            os.close(file)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
