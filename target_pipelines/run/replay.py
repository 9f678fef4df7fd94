"""--replay: sends dead letters again; those that fail again stay in their file.

The file is replaced only at the end, atomically. An interrupted replay leaves it unchanged; the
next one sends the same calls with the same messageIds.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from program_kit.exact_json import INVALID_JSON, decode_object, encode_json
from target_pipelines.acknowledgements.dead_letters import DeadLetters, locked
from target_pipelines.acknowledgements.staged_dead_letters import StagedDeadLetters
from target_pipelines.api.errors import ConfigurationError, InputError
from target_pipelines.api.remedies import describe_remedy
from target_pipelines.singer.streams import Stream, parse_schema
from target_pipelines.singer.unreadable import UnreadableRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from target_pipelines.run.configuration import Configuration
    from target_pipelines.run.pipeline import Pipeline


def replay_settings(configuration: Configuration) -> Configuration:
    """The configuration of a replay, in which rejected calls never stop the run."""
    destinations = [
        replace(settings, max_rejected_ratio=1.0, on_rejected="dead_letter")
        for settings in configuration.destinations
    ]
    return replace(configuration, destinations=destinations)


class Replay:
    """One replay of a file of dead letters.

    Attributes:
        configuration: what it is sent with.
    """

    def __init__(self, path: Path, configuration: Configuration) -> None:
        self.configuration = configuration
        self._path = path
        self._kept_path = path.with_name(f"{path.name}.replay")
        self._plugins = configuration.plugins
        self._call_types = configuration.settings.call_types
        self._started_at = configuration.started_at
        self._streams: dict[str, Stream] = {}
        self._size = 0

    def stage_dead_letters(self) -> StagedDeadLetters:
        """The file for calls that fail again. Raises ConfigurationError if there is no old file."""
        if not self._path.is_file():
            raise ConfigurationError(f"--replay: the file {self._path} does not exist.")
        self._kept_path.unlink(missing_ok=True)  # left by an interrupted replay
        return StagedDeadLetters(DeadLetters(self._kept_path))

    def send(self, pipeline: Pipeline) -> None:
        """Pass all dead letters to the pipeline. Raises PipelinesError."""
        for number, dead_letter in enumerate(self._dead_letters(), 1):
            try:
                self._replay_dead_letter(dead_letter, pipeline)
            except (KeyError, TypeError) as error:
                raise InputError(self._invalid_line(number)) from error

    def finish(self) -> None:
        """Replace the file: keep what failed again and what other runs appended meanwhile."""
        with locked(self._path, os.O_RDONLY) as file:
            os.lseek(file, self._size, os.SEEK_SET)
            DeadLetters(self._kept_path).append([_read_all(file)])
            self._kept_path.replace(self._path)

    def _replay_dead_letter(self, dead_letter: Mapping[str, Any], pipeline: Pipeline) -> None:
        """Send a rejected call unchanged; encode again a record that became no call.

        Raises KeyError or TypeError if it is not a dead letter; ConfigurationError if its
        destination or call type is unknown.
        """
        destination = pipeline.find_destination(dead_letter.get("destination"))
        if "line" in dead_letter:
            destination.reject_line(_unreadable(dead_letter))
        elif dead_letter["attempts"]:
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
            "x-last-sync-time": dead_letter["last_sync_time"],
        }
        message = {
            **(dead_letter.get("origin") or {}),
            "stream": dead_letter["stream"],
            "schema": keywords,
            "key_properties": list(dead_letter.get("key") or ()),
        }
        return parse_schema(message, self._plugins, self._call_types, started_at=self._started_at)

    def _dead_letters(self) -> Iterator[dict[str, Any]]:
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    break  # another run is still writing it
                self._size += len(line)
                try:
                    yield decode_object(line)
                except INVALID_JSON as error:
                    raise InputError(self._invalid_line(number)) from error

    def _invalid_line(self, number: int) -> str:
        return (
            f"Line {number} of {self._path} is not a dead letter; the file was not changed. "
            "Correct or remove the line."
        )


def _unreadable(dead_letter: Mapping[str, Any]) -> UnreadableRecord:
    """The line of a dead letter that cannot be read, which only its tap can send again."""
    stream = dead_letter["stream"]
    return UnreadableRecord(
        stream,
        dead_letter["call_type"],
        dead_letter["position"],
        dead_letter["last_sync_time"],
        dead_letter["reason"].removesuffix(f" {describe_remedy('query', stream)}"),
        dead_letter["line"],
    )


def _read_all(file: int) -> bytes:
    with contextlib.closing(os.fdopen(os.dup(file), "rb")) as reader:
        return reader.read()
