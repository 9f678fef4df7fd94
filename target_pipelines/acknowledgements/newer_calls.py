"""Which dead letters of facts are superseded: a newer call of the same person was delivered since.

A run reads the letters of its dead-letter file when it starts, notes which of their persons get a
call, and marks those letters in the file when it ends. Letters of its own rows are watched as well.
What is not known stays unmarked: letters beyond `_MAX_LETTERS`, those of older versions, and those
of calls without an id.

A mark changes `false` to `true ` in place, in the last field of the line. The line keeps its
length, so that other programs may append to the file.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import threading
from collections import defaultdict
from typing import IO, TYPE_CHECKING, Any

from program_kit.exact_json import INVALID_JSON, decode_json, decode_object
from program_kit.file_locks import lock_file, locked
from program_kit.replaced_file import ReplacedFile
from target_pipelines.acknowledgements.dead_letter_calls import find_person

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from target_pipelines.acknowledgements.dead_letters import DeadLetter
    from target_pipelines.api.calls import EncodedCall

_UNMARKED = b'"superseded":false}\n'
_MARKED = b'"superseded":true }\n'
_MAX_LETTERS = 100_000
_EARLIER = -1

logger = logging.getLogger(__name__)


class NewerCalls:
    """The letters of one dead-letter file of a destination; safe to use from many threads."""

    def __init__(self, path: Path, destination: str) -> None:
        self._path = path
        self._destination = destination
        self._lock = threading.Lock()
        self._keys: set[tuple[str, str]] = set()
        self._letters: defaultdict[bytes, list[tuple[int, bytes]]] = defaultdict(list)
        self._count = 0
        self.superseded: set[bytes] = set()

    def read(self) -> None:
        """Watch the letters that the file has, if it is a file that can be read."""
        if not self._path.is_file():  # a device or a pipe may never end
            return
        with contextlib.suppress(OSError), self._path.open("rb") as lines:
            for line in lines:
                if self._count >= _MAX_LETTERS:
                    return
                if line.endswith(_UNMARKED):
                    with contextlib.suppress(*INVALID_JSON):
                        self._watch_line(decode_object(line), line)

    def _watch_line(self, letter: Mapping[str, Any], line: bytes) -> None:
        if letter.get("destination") == self._destination:
            self._watch(str(letter.get("stream")), letter.get("call"), _EARLIER, line)

    def watch(self, letters: Sequence[DeadLetter], lines: Iterable[bytes]) -> None:
        """Watch letters of this run."""
        for letter, line in zip(letters, lines, strict=True):
            if letter.position is not None:
                self._watch(letter.stream, letter.call, letter.position, line)

    def _watch(self, stream: str, call: Any, position: int, line: bytes) -> None:
        person = find_person(stream, call)
        with self._lock:
            if person is None or self._count >= _MAX_LETTERS:
                return
            key, digest = person
            self._keys.add((stream, key))
            self._letters[digest].append((position, _line_digest(line)))
            self._count += 1

    def note_delivered(self, calls: Sequence[EncodedCall]) -> None:
        """Note which letters these calls supersede."""
        if not self._keys:
            return
        for call in calls:
            if (call.stream, call.ordering_key) in self._keys:
                person = find_person(call.stream, decode_json(call.body))
                if person is not None:
                    self._note(person[1], call.position)

    def _note(self, person: bytes, position: int | None) -> None:
        with self._lock:
            letters = self._letters.get(person, [])
            older = [
                (at, line)
                for at, line in letters
                if at == _EARLIER or (position is not None and at < position)
            ]
            self.superseded.update(line for _, line in older)
            self._letters[person] = [letter for letter in letters if letter not in older]

    def mark(self) -> None:
        """Mark the superseded letters in the file.

        Does nothing while a replay holds the file, or if the file cannot be written: then it is not
        known of these letters that they are superseded.
        """
        if not self.superseded:
            return
        with contextlib.suppress(OSError), self._held() as file:
            for offset in self._find_superseded(file):
                os.pwrite(file.fileno(), _MARKED, offset)

    @contextlib.contextmanager
    def _held(self) -> Iterator[IO[bytes]]:
        """The file, locked against writers and replays. Raises OSError."""
        file = ReplacedFile(self._path)
        with lock_file(file.sibling("replay"), is_kept=False) as lock:
            if lock is None:
                raise BlockingIOError
            with (
                locked(file.path, os.O_RDWR, _never_interrupted) as number,
                os.fdopen(os.dup(number), "rb") as opened,
            ):
                yield opened

    def _find_superseded(self, file: IO[bytes]) -> Iterator[int]:
        """The offsets of the marks."""
        end = 0
        for line in file:
            end += len(line)
            if line.endswith(_UNMARKED) and _line_digest(line) in self.superseded:
                yield end - len(_UNMARKED)


@contextlib.contextmanager
def marking_superseded(destinations: Collection[NewerCalls]) -> Iterator[None]:
    """Watch the letters of destinations in the block; mark them when it ends, even by an error."""
    for newer_calls in destinations:
        newer_calls.read()
    try:
        yield
    finally:
        for newer_calls in destinations:
            newer_calls.mark()


def _never_interrupted() -> None:
    """A writer holds the file for a moment only."""


def _line_digest(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=16).digest()
