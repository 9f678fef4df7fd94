"""--replay: sends dead letters again; what fails again stays in their file.

The file is rewritten at the end only, in one step: a replay that is interrupted leaves it as it
was, and its calls carry the same messageIds when they are sent once more.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from program_kit.exact_json import INVALID_JSON, decode_object
from target_pipelines.acknowledgements.dead_letters import DeadLetters, locked
from target_pipelines.api.errors import ConfigurationError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from target_pipelines.run.configuration import Configuration
    from target_pipelines.run.pipeline import Pipeline


def as_replay(configuration: Configuration) -> Configuration:
    """The configuration of a replay: letters that fail again are expected, and stop nothing."""
    destinations = [
        replace(settings, max_rejected_ratio=1.0, on_rejected="dead_letter")
        for settings in configuration.destinations
    ]
    return replace(configuration, destinations=destinations)


class Replay:
    """One replay of a file of dead letters."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept_path = path.with_name(f"{path.name}.replay")
        self._size = 0

    def open_dead_letters(self) -> DeadLetters:
        """Where letters that fail again go. Raises ConfigurationError if the file is not there."""
        if not self._path.is_file():
            raise ConfigurationError(f"--replay: there is no file {self._path}.")
        self._kept_path.unlink(missing_ok=True)  # of a replay that was interrupted
        return DeadLetters(self._kept_path)

    def send(self, pipeline: Pipeline) -> None:
        """Hand all letters to the pipeline. Raises PipelinesError."""
        for number, letter in enumerate(self._letters(), 1):
            try:
                pipeline.replay_dead_letter(letter)
            except (KeyError, TypeError) as error:
                raise InputError(
                    f"Line {number} of {self._path} is no dead letter; nothing of it was changed."
                ) from error

    def finish(self) -> None:
        """Put the letters that failed again, and those that came meanwhile, in the file's place."""
        with locked(self._path, os.O_RDONLY) as file:
            os.lseek(file, self._size, os.SEEK_SET)
            DeadLetters(self._kept_path).append(_read_all(file))
            self._kept_path.replace(self._path)

    def _letters(self) -> Iterator[dict[str, Any]]:
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    break  # somebody is still writing it
                self._size += len(line)
                try:
                    yield decode_object(line)
                except INVALID_JSON as error:
                    raise InputError(
                        f"Line {number} of {self._path} is no dead letter; nothing was changed."
                    ) from error


def _read_all(file: int) -> bytes:
    with contextlib.closing(os.fdopen(os.dup(file), "rb")) as reader:
        return reader.read()
