"""The dead-letter file: rejected calls with the reason, on disk before a STATE covers them.

One JSON object per line: `time`, `stream`, `call_type`, `destination`, `reason`, `kind`, `status`
(HTTP), `attempts`, `key` (the record's key columns), `position` (its place in the result, from 0),
`call` (possibly incomplete), `record`, `sync_time` (the start of the run that read it), and what a
record that became no call needs for its messageId: `last_sync_time` and `origin`. A line that
cannot be read has no record; `line` is its text. The letter of a fact ends with `superseded`: see
`newer_calls`. The file holds personal data, so only its owner may read it.
"""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from program_kit.exact_json import INVALID_JSON, decode_object
from program_kit.file_locks import is_at, locked
from program_kit.replaced_file import resolve, sync_folder
from target_pipelines.acknowledgements.dead_letter_calls import (
    SUPERSEDED,
    encode_letter,
    find_person,
)
from target_pipelines.api.errors import DeliveryStopped
from target_pipelines.api.remedies import Kind, describe_remedy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from target_pipelines.singer.unreadable import UnreadableRecord

_TAIL_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A rejected call or record, and the reason.

    `kind` says where the cause is, and so what helps: see `api.remedies`.
    """

    stream: str
    call_type: str
    destination: str
    reason: str
    kind: Kind = "query"
    status: int | None = None
    attempts: int = 0
    key: Any = None
    position: int | None = None
    call: Any = None
    record: Any = None
    sync_time: Any = None
    last_sync_time: Any = None
    origin: Any = None
    line: str | None = None

    def to_json(self) -> dict[str, Any]:
        """All fields; `origin` and `line` only where there is one, `superseded` of facts."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        present = {
            name: value
            for name, value in values.items()
            if value is not None or name not in ("origin", "line")
        }
        is_fact = find_person(self.stream, self.call) is not None
        return {**present, SUPERSEDED: False} if is_fact else present


def letter_of_line(line: UnreadableRecord, destination: str) -> DeadLetter:
    """The dead letter of a line that cannot be read."""
    return DeadLetter(
        stream=line.stream,
        call_type=line.call_type,
        destination=destination,
        reason=line.reason,
        kind="tap",
        position=line.position,
        last_sync_time=line.last_sync_time,
        line=line.text,
    )


def encode_lines(dead_letters: Sequence[DeadLetter]) -> list[bytes]:
    """Dead letters as lines of the file, with the present time."""
    time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return [
        encode_letter({"time": time, **letter.to_json(), "reason": _full_reason(letter)})
        for letter in dead_letters
    ]


def _full_reason(dead_letter: DeadLetter) -> str:
    return f"{dead_letter.reason} {describe_remedy(dead_letter.kind, dead_letter.stream)}"


class DeadLetters:
    """The file; it is created with the first dead letter.

    Attributes:
        path: where it is.
    """

    def __init__(self, path: Path, check_interrupted: Callable[[], None] = lambda: None) -> None:
        self.path = path
        self._check_interrupted = check_interrupted

    def append(self, lines: Iterable[bytes]) -> None:
        """Append chunks of whole lines and fsync. Raises DeliveryStopped, with none appended."""
        with (
            self.describing_errors(),
            locked(
                self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, self._check_interrupted
            ) as file,
        ):
            is_new = not os.fstat(file).st_size
            end_last_line(file)
            with _undone_after_errors(file):
                for chunk in lines:
                    _write_all(file, chunk)
                os.fsync(file)
                if is_new:
                    sync_folder(resolve(self.path).parent)
                if not is_at(file, self.path):
                    raise FileNotFoundError(errno.ENOENT, "it was deleted during the write")

    @contextlib.contextmanager
    def describing_errors(self) -> Iterator[None]:
        """Turn an error of the disk into DeliveryStopped."""
        try:
            yield
        except OSError as error:
            raise DeliveryStopped(
                f"Dead letters cannot be written to {self.path}: {error.strerror}. Free disk "
                "space or correct the setting `dead_letter_path`; no state covers these calls."
            ) from error


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


@contextlib.contextmanager
def _undone_after_errors(file: int) -> Iterator[None]:
    """Cut the file to its present size if the block fails: nothing of it is settled."""
    size = os.fstat(file).st_size
    try:
        yield
    except OSError:
        with contextlib.suppress(OSError):  # not a regular file
            os.ftruncate(file, size)
        raise


def end_last_line(file: int) -> None:
    """Remove a partial last line, left by a killed writer or a full disk: it was not settled.

    The file is open to append.
    The next dead letter would be appended to it and be lost. A complete last line gets its newline.
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
