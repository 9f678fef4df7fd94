"""Calls that will never be accepted, on disk with the reason before any STATE may cover them.

One JSON object per line: `time`, `stream`, `call_type`, `destination`, `reason`, `status` (of
HTTP), `attempts`, `call` (as far as it was made), `record`, and for a record that became no call
`last_sync_time`, which belongs to its messageId. They hold personal data: the file is readable by
its owner only.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from program_kit.exact_json import INVALID_JSON, decode_object, encode_json
from target_pipelines.api.errors import DeliveryStopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_TAIL_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A call, or the record that became none, and why."""

    stream: str
    call_type: str
    destination: str
    reason: str
    status: int | None = None
    attempts: int = 0
    call: Any = None
    record: Any = None
    last_sync_time: Any = None


class DeadLetters:
    """The file; it is made when the first one comes."""

    def __init__(self, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path = path
        self._now = now

    def add(self, letters: Sequence[DeadLetter]) -> None:
        """Append them; when this returns, they are on the disk. Raises DeliveryStopped."""
        if not letters:
            return
        time = self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        lines = b"".join(
            encode_json({"time": time, **asdict(letter)}) + b"\n" for letter in letters
        )
        self.append(lines)

    def append(self, lines: bytes) -> None:
        """Append whole lines; when this returns, they are on the disk. Raises DeliveryStopped."""
        try:
            with locked(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT) as file:
                _end_last_line(file)
                view = memoryview(lines)
                while view:
                    view = view[os.write(file, view) :]
                os.fsync(file)
                if not _is_at(file, self._path):
                    raise FileNotFoundError(errno.ENOENT, "it was deleted in the meantime")
        except OSError as error:
            raise DeliveryStopped(
                f"Dead letters cannot be written to {self._path}: {error.strerror}. Make room or "
                "correct the setting `dead_letter_path`; the state stands at what was settled."
            ) from error


def _end_last_line(file: int) -> None:
    """Cut off the half line of a writer that died, or found the disk full: it was not settled.

    Another letter behind it would be lost with it. A letter that only lacks its end gets one.
    """
    start = size = os.fstat(file).st_size
    tail = b""
    while start and b"\n" not in tail:
        start = max(start - _TAIL_BYTES, 0)
        tail = os.pread(file, size - start, start)
        if tail.endswith(b"\n"):
            return
    last = tail.rpartition(b"\n")[2]
    try:
        if last:
            decode_object(last)
            os.write(file, b"\n")
    except INVALID_JSON:
        os.ftruncate(file, size - len(last))


def _is_at(file: int, path: Path) -> bool:
    """Whether the path still leads to the open file."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file), path.stat())
    return False


@contextlib.contextmanager
def locked(path: Path, flags: int) -> Iterator[int]:
    """The open file at a path, locked against other targets and replays. Raises OSError."""
    while True:
        file = os.open(path, flags, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        if _is_at(file, path):
            break
        os.close(file)  # it was deleted, or a replay has put another file in its place
    try:
        yield file
    finally:
        os.close(file)
