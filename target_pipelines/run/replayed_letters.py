"""The letters of a replay: what became of each, and what tells them apart."""

from __future__ import annotations

import hashlib
import tempfile
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from program_kit.exact_json import encode_json
from target_pipelines.acknowledgements.dead_letter_calls import find_person
from target_pipelines.acknowledgements.dead_letters import DeadLetters
from target_pipelines.api.errors import ConfigurationError
from target_pipelines.run.replay_order import run_time_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path


class Fate(NamedTuple):
    """What became of a line: whether its letter was delivered, or what stays of it."""

    line: bytes
    letter: Mapping[str, Any] | None
    is_delivered: bool

    @property
    def person(self) -> bytes | None:
        """Whom a fact is about."""
        letter = self.letter or {}
        found = find_person(letter["stream"], letter.get("call")) if letter else None
        return found[1] if found else None

    @property
    def row(self) -> tuple[float, float]:
        """The run and the place of its row: the order in which letters of a person are newer."""
        letter = self.letter or {}
        return run_time_of(letter), float(letter.get("position") or 0)


def describe_unusable(path: Path, number: int, error: Exception) -> ConfigurationError:
    """The error of a letter with fields that no writer makes; its text may hold values."""
    return ConfigurationError(
        f"Line {number} of {path} cannot be sent, since a field is missing or of another type "
        f"({type(error).__name__}). It stays; correct or remove it."
    )


def row_of(letter: Mapping[str, Any]) -> bytes:
    """What a letter that fails again has in common with the one before."""
    return _digest_of([letter.get(name) for name in ("stream", "record", "position")])


def event_of(destination: str | None, call: Mapping[str, Any]) -> bytes:
    """What letters of one event have in common."""
    return _digest_of([destination, call.get("messageId")])


def _digest_of(parts: Sequence[Any]) -> bytes:
    return hashlib.blake2b(encode_json(parts), digest_size=16).digest()


class FailedAgain(DeadLetters):
    """The letters of a replay that failed again, in a temporary file without a name."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._file: IO[bytes] | None = None

    def append(self, lines: Iterable[bytes]) -> None:
        """Keep chunks of whole lines. Raises DeliveryStopped."""
        with self.describing_errors():
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self.path.parent)  # noqa: SIM115 - kept
            self._file.writelines(lines)
            self._file.flush()

    def lines(self) -> Iterator[bytes]:
        """Its lines."""
        if self._file is not None:
            self._file.seek(0)
            yield from self._file
