"""Dead letters that no STATE covers yet, in a temporary file without a name.

They reach the dead-letter file together with the STATE that covers them. If the run ends before, or
their stream fails, they are gone: the next run reads those rows again.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from target_pipelines.acknowledgements.dead_letters import DeadLetters


class _Entry(NamedTuple):
    """Lines of one stream and epoch that lie together in the temporary file."""

    epoch: int
    stream: str
    start: int
    length: int


class StagedDeadLetters:
    """Stages the lines of one dead-letter file; safe to use from many threads."""

    def __init__(self, dead_letters: DeadLetters) -> None:
        self._dead_letters = dead_letters
        self._lock = threading.Lock()
        self._file = -1
        self._close: Callable[[], object] = lambda: None
        self._entries: list[_Entry] = []
        self._end = 0

    def add(self, stream: str, epoch: int, lines: bytes) -> None:
        """Stage lines of a stream. Raises DeliveryStopped if they cannot be written."""
        with self._lock:
            with self._dead_letters.describing_errors():
                self._write(lines)
            self._entries.append(_Entry(epoch, stream, self._end, len(lines)))
            self._end += len(lines)
            self._merge_last()

    def streams(self, epoch: int | None) -> frozenset[str]:
        """The streams with staged lines up to an epoch, or at all."""
        with self._lock:
            return frozenset(entry.stream for entry in self._entries if _is_due(entry, epoch))

    def commit(
        self, epoch: int | None, failed: Collection[str], waiting: Collection[str] = ()
    ) -> None:
        """Append the lines up to an epoch, or all, to the file; forget those of failed streams.

        Those of `waiting` streams stay staged.

        Raises DeliveryStopped if the file cannot be written: then it has none of them.
        """
        with self._lock:
            if not self._entries:
                return
            self._entries = [entry for entry in self._entries if entry.stream not in failed]
            due: list[_Entry] = []
            rest: list[_Entry] = []
            for entry in self._entries:
                is_due = _is_due(entry, epoch) and entry.stream not in waiting
                (due if is_due else rest).append(entry)
            if due:
                self._dead_letters.append(self._read(due))
            self._entries = rest
            if not self._entries:
                self._close()
                self._file, self._end = -1, 0

    def _write(self, lines: bytes) -> None:
        if self._file < 0:
            self._file = self._open()
            self._close = weakref.finalize(self, os.close, self._file)
        view, end = memoryview(lines), self._end
        while view:
            written = os.pwrite(self._file, view, end)
            view, end = view[written:], end + written

    def _open(self) -> int:
        """Beside the dead-letter file, or where temporary files are if only that file is ours."""
        import tempfile  # noqa: PLC0415 - slow, and rarely needed

        path = self._dead_letters.path
        is_file_only = os.access(path, os.W_OK) and not os.access(path.parent, os.W_OK)
        with tempfile.TemporaryFile(dir=None if is_file_only else path.parent) as file:
            return os.dup(file.fileno())

    def _merge_last(self) -> None:
        """Join the last two entries if they are of one stream and epoch, and lie together."""
        if len(self._entries) > 1:
            before, last = self._entries[-2:]
            if before[:2] == last[:2] and before.start + before.length == last.start:
                self._entries[-2:] = [before._replace(length=before.length + last.length)]

    def _read(self, entries: Sequence[_Entry]) -> Iterator[bytes]:
        return (os.pread(self._file, entry.length, entry.start) for entry in entries)


def _is_due(entry: _Entry, epoch: int | None) -> bool:
    return epoch is None or entry.epoch <= epoch
