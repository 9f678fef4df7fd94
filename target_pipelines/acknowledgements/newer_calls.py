"""Which dead letters of facts are superseded: a newer call of the same person was delivered since.

A run reads the letters of its dead-letter file when it starts, notes which of their persons get a
call, and marks those letters in the file when it ends. Letters of its own rows are watched as well.
What is not known stays unmarked: see docs/delivery.md.

A mark changes `false` to `true ` in place, in the last field of the line. The line keeps its
length, so that other programs may append to the file. Lines that were edited are written anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections import defaultdict
from typing import IO, TYPE_CHECKING, Any

from program_kit.exact_json import decode_json
from program_kit.file_locks import lock_file, locked
from program_kit.replaced_file import ReplacedFile
from target_pipelines.acknowledgements.dead_letter_calls import (
    SUPERSEDED,
    encode_letter,
    find_person,
)
from target_pipelines.acknowledgements.dead_letter_file import parse_letter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from target_pipelines.acknowledgements.dead_letters import DeadLetter
    from target_pipelines.api.calls import EncodedCall

_UNMARKED = b'"superseded":false}\n'
_MARKED = b'"superseded":true }\n'
_FACTS = (b'"identify"', b'"group"')
_MAX_LETTERS = 100_000
_EARLIER = -1


class NewerCalls:
    """The letters of one dead-letter file of a destination; safe to use from many threads."""

    def __init__(self, path: Path, is_own: Callable[[Mapping[str, Any]], bool]) -> None:
        """`is_own` says whether a letter is the destination's, perhaps under a former name."""
        self._path = path
        self._is_own = is_own
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
                if not any(fact in line for fact in _FACTS):
                    continue
                letter = parse_letter(line)
                if letter and not letter.get(SUPERSEDED) and self._is_own(letter):
                    self._watch(letter["stream"], letter.get("call"), _EARLIER, line)

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
        if not self.superseded or not self._path.is_file():
            return
        file = ReplacedFile(self._path)
        with contextlib.suppress(OSError), self._held(file) as opened:
            offsets, is_edited = self._find_superseded(opened)
            if is_edited:
                opened.seek(0)
                file.replace(map(self._marked, opened))
                return
            for offset in offsets:
                os.pwrite(opened.fileno(), _MARKED, offset)

    @contextlib.contextmanager
    def _held(self, file: ReplacedFile) -> Iterator[IO[bytes]]:
        """The file, locked against writers and replays. Raises OSError."""
        with lock_file(file.sibling("replay"), is_kept=False) as lock:
            if lock is None:
                raise BlockingIOError
            with (
                locked(file.path, os.O_RDWR, _never_interrupted) as number,
                os.fdopen(os.dup(number), "rb") as opened,
            ):
                yield opened

    def _find_superseded(self, file: IO[bytes]) -> tuple[Sequence[int], bool]:
        """The offsets of the marks, and whether a line to mark does not end as it was written."""
        offsets, is_edited, end = [], False, 0
        for line in file:
            end += len(line)
            if _line_digest(line) not in self.superseded:
                continue
            if line.endswith(_UNMARKED):
                offsets.append(end - len(_UNMARKED))
            else:
                is_edited = True
        return offsets, is_edited

    def _marked(self, line: bytes) -> bytes:
        """A line of the file; marked, if it is a superseded letter."""
        letter = parse_letter(line) if _line_digest(line) in self.superseded else None
        return line if letter is None else encode_letter({**letter, SUPERSEDED: True})


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
