"""--replay: sends dead letters again; those that fail again stay in their file.

The file is replaced only at the end, atomically. An interrupted replay leaves it unchanged; the
next one sends the same calls with the same messageIds. One replay of a file runs at a time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from dataclasses import replace
from itertools import chain
from typing import IO, TYPE_CHECKING, Any

from program_kit.exact_json import encode_json
from program_kit.file_locks import lock_file, locked
from program_kit.replaced_file import ReplacedFile, find_file_problem
from target_pipelines.acknowledgements.dead_letter_file import is_other_file, parse_letter
from target_pipelines.acknowledgements.dead_letters import DeadLetters
from target_pipelines.acknowledgements.staged_dead_letters import StagedDeadLetters
from target_pipelines.api.errors import (
    AlreadyReplaying,
    ConfigurationError,
    DeliveryStopped,
    InputError,
)
from target_pipelines.singer.streams import Stream, parse_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from target_pipelines.run.configuration import Configuration
    from target_pipelines.run.pipeline import Pipeline

_NAMED_LINES = 5


def replay_settings(configuration: Configuration) -> Configuration:
    """The configuration of a replay, in which rejected calls never stop the run."""
    destinations = [
        replace(settings, max_rejected_ratio=1.0, on_rejected="dead_letter")
        for settings in configuration.destinations
    ]
    return replace(configuration, destinations=destinations)


class Replay:
    """One replay of a file of dead letters, in a `with` block that holds its lock.

    Attributes:
        configuration: what it is sent with.
    """

    def __init__(
        self,
        path: Path,
        configuration: Configuration,
        *,
        is_dry_run: bool = False,
        check_interrupted: Callable[[], None] = lambda: None,
    ) -> None:
        self.configuration = configuration
        self._path = path
        self._is_dry_run = is_dry_run
        self._check_interrupted = check_interrupted
        self._plugins = configuration.plugins
        self._call_types = configuration.settings.call_types
        self._started_at = configuration.started_at
        self._streams: dict[str, Stream] = {}
        self._failed_again = _FailedAgain(path)
        self._size = 0
        self._digest = hashlib.blake2b()
        self._invalid_lines: list[int] = []
        self._unsendable: dict[int, ConfigurationError] = {}

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Hold the lock of the replay, unless it is a dry run, which touches nothing.

        Raises ConfigurationError or AlreadyReplaying.
        """
        if problem := self._find_problem():
            raise ConfigurationError(f"--replay: {self._path} {problem}.")
        if is_other_file(self._path):
            raise InputError(f"{self._path} holds no dead letters. It was not changed.")
        if self._is_dry_run:
            yield
            return
        file = ReplacedFile(self._path)
        with contextlib.ExitStack() as stack:
            try:
                lock = stack.enter_context(lock_file(file.sibling("replay"), is_kept=False))
                if lock is not None:
                    with locked(file.path, os.O_RDONLY, self._check_interrupted):
                        file.check()
            except OSError as error:
                raise ConfigurationError(
                    f"--replay: {self._path} cannot be replaced ({error.strerror}), so nothing was "
                    "sent. Let this user write to its folder, or replay a copy."
                ) from error
            if lock is None:
                raise AlreadyReplaying(
                    f"Another replay of {self._path} is not over; nothing was sent. Wait until it "
                    "has ended."
                )
            yield

    def _find_problem(self) -> str:
        if not self._path.exists() and not self._path.is_symlink():
            return "does not exist"
        problem = find_file_problem(self._path)
        return problem or ("" if self._path.exists() else "is a link to a file that does not exist")

    def stage_dead_letters(self) -> StagedDeadLetters:
        """Where calls that fail again are kept until the end."""
        return StagedDeadLetters(self._failed_again)

    def send(self, pipeline: Pipeline) -> None:
        """Pass all dead letters to the pipeline. Raises PipelinesError."""
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    break  # another run is still writing it
                self._size += len(line)
                self._digest.update(line)
                letter = parse_letter(line)
                if letter is None:
                    self._invalid_lines += [number] if line.strip() else []
                    continue
                try:
                    self._replay_dead_letter(letter, pipeline)
                except ConfigurationError as error:
                    self._unsendable[number] = error

    def finish(self) -> None:
        """Replace the file: keep what failed again and what other runs appended meanwhile.

        Raises DeliveryStopped if it is another file by now, which is left as it is; InputError for
        lines that are no dead letters, and ConfigurationError for those of an unknown destination
        or call type, which stay.
        """
        file = ReplacedFile(self._path)
        try:
            with (
                locked(file.path, os.O_RDONLY, self._check_interrupted) as number,
                os.fdopen(os.dup(number), "rb") as old,
            ):
                self._refuse_change(old)
                file.replace(chain(self._kept(old), self._appended(old)))
        except OSError as error:
            raise DeliveryStopped(
                f"{self._path} cannot be replaced ({error.strerror}): it still has all dead "
                "letters, and the next replay sends them again."
            ) from error
        if self._invalid_lines:
            raise InputError(self._describe_invalid_lines())
        if self._unsendable:
            raise ConfigurationError(*dict.fromkeys(map(str, self._unsendable.values())))

    def _refuse_change(self, old: IO[bytes]) -> None:
        digest, remaining = hashlib.blake2b(), self._size
        while block := old.read(min(remaining, 1 << 20)):
            digest.update(block)
            remaining -= len(block)
        if remaining or digest.digest() != self._digest.digest():
            raise DeliveryStopped(
                f"{self._path} was changed or replaced by another program during the replay; it "
                "was left as it is. It may still have letters that were delivered."
            )

    def _kept(self, old: IO[bytes]) -> Iterator[bytes]:
        """The lines to keep of those that were read."""
        old.seek(0)
        numbers, remaining = {*self._invalid_lines, *self._unsendable}, self._size
        for number, line in enumerate(old, 1):
            remaining -= len(line)
            if remaining < 0:
                break
            if number in numbers or self._is_untouched(line):
                yield line
        yield from self._lines_failed_again()

    def _lines_failed_again(self) -> Iterator[bytes]:
        return self._failed_again.lines()

    def _is_untouched(self, line: bytes) -> bool:  # noqa: ARG002 - `Retry` has such lines
        """Whether the letter in a line was not sent."""
        return False

    def _appended(self, old: IO[bytes]) -> Iterator[bytes]:
        old.seek(self._size)
        while block := old.read(1 << 20):
            yield block

    def _replay_dead_letter(self, dead_letter: Mapping[str, Any], pipeline: Pipeline) -> None:
        """Send a rejected call unchanged; encode again a record that became no call.

        Raises ConfigurationError if its destination or call type is unknown, or it is no record.
        """
        if "line" in dead_letter:
            raise ConfigurationError(
                f'A dead letter of stream "{dead_letter["stream"]}" is a line that could not be '
                "read. It stays; only its tap can send it again. Remove the letter after that."
            )
        destination = pipeline.find_destination(dead_letter.get("destination"))
        if dead_letter["attempts"]:
            destination.resend(dead_letter)
        else:
            stream = self._stream_of(dead_letter)
            if self._streams.get(stream.name) != stream:
                self._streams[stream.name] = stream
                pipeline.handle_schema(stream)
            origin = dead_letter.get("origin") or {}
            destination.encode_record(
                stream,
                dead_letter["record"],
                encode_json({"record": dead_letter["record"]}),
                dead_letter.get("position") or 0,
                origin.get("repeat", 0) if origin else None,
            )
        pipeline.flush()

    def _stream_of(self, dead_letter: Mapping[str, Any]) -> Stream:
        keywords = {
            "x-call-type": dead_letter["call_type"],
            "x-last-sync-time": dead_letter.get("last_sync_time"),
        }
        message = {
            **(dead_letter.get("origin") or {}),
            "stream": dead_letter["stream"],
            "schema": keywords,
            "key_properties": list(dead_letter.get("key") or ()),
        }
        return parse_schema(message, self._plugins, self._call_types, started_at=self._started_at)

    def _describe_invalid_lines(self) -> str:
        count = len(self._invalid_lines)
        numbers = ", ".join(map(str, self._invalid_lines[:_NAMED_LINES]))
        more = " and others" if count > _NAMED_LINES else ""
        return (
            f"{count} lines of {self._path} are no dead letters and stay as they are: line "
            f"{numbers}{more}. The others were sent. Correct or remove these lines."
        )


class _FailedAgain(DeadLetters):
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
