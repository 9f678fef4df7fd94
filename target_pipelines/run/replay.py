"""--replay: sends dead letters again; those that fail again stay in their file.

The file is replaced only at the end, atomically. An interrupted replay leaves it unchanged; the
next one sends the same calls with the same messageIds. One replay of a file runs at a time.

Several runs may have left letters of one row of an event. They have one messageId, which is sent
once; the other letters share its end. Rows of one run are sent each, as the run would have. A
superseded letter (see `acknowledgements.newer_calls`) is not sent; it leaves the file.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from itertools import chain
from typing import IO, TYPE_CHECKING, Any

from program_kit.exact_json import decode_object, encode_json
from program_kit.file_locks import lock_file, locked
from program_kit.humane import count_of
from program_kit.replaced_file import ReplacedFile, find_file_problem
from target_pipelines.acknowledgements.dead_letter_calls import (
    SUPERSEDED,
    encode_letter,
)
from target_pipelines.acknowledgements.dead_letter_file import is_other_file, parse_letter
from target_pipelines.acknowledgements.dead_letters import end_last_line
from target_pipelines.acknowledgements.staged_dead_letters import StagedDeadLetters
from target_pipelines.api.errors import (
    AlreadyReplaying,
    ConfigurationError,
    DeliveryStopped,
    InputError,
)
from target_pipelines.run.replay_order import ReplayOrder, describe_old_facts, run_time_of
from target_pipelines.run.replayed_letters import (
    FailedAgain,
    Fate,
    describe_unusable,
    event_of,
    row_of,
)
from target_pipelines.singer.streams import Stream, parse_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

    from target_pipelines.run.configuration import Configuration
    from target_pipelines.run.destination_pipeline import DestinationPipeline
    from target_pipelines.run.pipeline import Pipeline

_NAMED_LINES = 5
_FACTS = frozenset({"identify", "group", "alias"})

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _SameRow:
    """A letter of a row of which another letter was sent."""

    event: bytes
    destination: DestinationPipeline
    stream: str
    call_type: str


def replay_settings(configuration: Configuration) -> Configuration:
    """The configuration of a replay, in which rejected calls never stop the run."""
    destinations = [
        replace(settings, max_rejected_ratio=1.0, on_rejected="dead_letter")
        for settings in configuration.destinations
    ]
    return replace(configuration, destinations=destinations)


class Replay:
    """One replay of a file of dead letters, in a `with` block that holds its lock.

    `delivered_at` says of streams when the last run ended that delivered them, in unix seconds;
    `streams` limits the replay to their letters, unless it is empty.

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
        delivered_at: Mapping[str, float] | None = None,
        streams: Collection[str] = (),
    ) -> None:
        self._wanted_streams = streams
        self.configuration = configuration
        self._delivered_at = delivered_at or {}
        self._path = path
        self._is_dry_run = is_dry_run
        self._check_interrupted = check_interrupted
        self._plugins = configuration.plugins
        self._call_types = configuration.settings.call_types
        self._started_at = configuration.started_at
        self._streams: dict[str, Stream] = {}
        self._failed_again = FailedAgain(path)
        self._size = 0
        self._digest = hashlib.blake2b()
        self._invalid_lines: list[int] = []
        self._unsendable: dict[int, ConfigurationError] = {}
        self._sent: dict[bytes, tuple[float, object]] = {}  # run and position of each event
        self._same_rows: dict[int, _SameRow] = {}
        self._superseded: Counter[str] = Counter()

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
                    flags = os.O_RDWR | os.O_APPEND
                    with locked(file.path, flags, self._check_interrupted) as number:
                        end_last_line(number)
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
        with self._path.open("rb") as file:
            order = self._read_order(file)
            for stream, facts in order.old_facts.items():
                delivered_at = self._delivered_at.get(stream)
                text = describe_old_facts(stream, facts, now=time.time(), delivered_at=delivered_at)
                logger.warning("%s", text)
            for offset, number in order:
                file.seek(offset)
                letter = parse_letter(file.readline())
                if letter is None:
                    continue  # it was changed just now, which `finish` refuses
                try:
                    self._replay_dead_letter(letter, pipeline, number)
                except ConfigurationError as error:
                    self._unsendable[number] = error
                except (KeyError, TypeError, ValueError, AttributeError) as error:
                    self._unsendable[number] = describe_unusable(self._path, number, error)
        for stream, count in self._superseded.items():
            logger.warning(
                "stream=%s: %s not sent: newer calls about the same people were delivered since. "
                "Such letters count as filtered and leave the file.",
                stream,
                count_of(count, "superseded letter"),
            )

    def _read_order(self, lines: IO[bytes]) -> ReplayOrder:
        """Read the file once, before anything is sent."""
        order = ReplayOrder()
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                break  # another run is still writing it
            offset = self._size
            self._size += len(line)
            self._digest.update(line)
            letter = parse_letter(line)
            if letter is None:
                self._invalid_lines += [number] if line.strip() else []
            elif self._is_wanted(letter):
                is_fact = not (letter.get(SUPERSEDED) or self._is_event(letter))
                order.add(letter, offset=offset, number=number, is_fact=is_fact)
        return order

    def settle_same_rows(self) -> None:
        """Count the letters whose event was sent with another letter, once all are settled."""
        failed = {
            event_of(letter.get("destination"), letter["call"])
            for letter in map(decode_object, self._failed_again.lines())
            if letter.get("call")
        }
        delivered = {
            number: same for number, same in self._same_rows.items() if same.event not in failed
        }
        for same in delivered.values():
            same.destination.report.start_stream(same.stream, same.call_type)
            same.destination.report.add_same_row(same.stream)
        for number in delivered:
            del self._same_rows[number]

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
        """The lines to keep of those that were read; those that failed again keep their times.

        A letter that stays, although a newer one of its person was delivered, is marked.
        """
        newest: dict[bytes, tuple[float, float]] = {}
        for fate in self._fates(old):
            if fate.person and fate.is_delivered:
                newest[fate.person] = max(newest.get(fate.person, fate.row), fate.row)
        for fate in self._fates(old):
            if fate.is_delivered:
                continue
            is_older = fate.person is not None and fate.row < newest.get(fate.person, fate.row)
            if is_older and fate.letter is not None:
                yield encode_letter({**fate.letter, SUPERSEDED: True})
            else:
                yield fate.line

    def _fates(self, old: IO[bytes]) -> Iterator[Fate]:
        """What became of each line that was read, and the letters that failed again."""
        old.seek(0)
        failed: dict[bytes, list[dict[str, Any]]] = defaultdict(list)
        for line in self._failed_again.lines():
            letter = decode_object(line)
            failed[row_of(letter)].append(letter)
        numbers = {*self._invalid_lines, *self._unsendable, *self._same_rows}
        remaining = self._size
        for number, line in enumerate(old, 1):
            remaining -= len(line)
            if remaining < 0:
                break
            before = parse_letter(line)
            is_untouched = before is not None and not self._is_wanted(before)
            if number in numbers or is_untouched:
                yield Fate(line, before, is_delivered=False)
            elif before is None or before.get(SUPERSEDED):
                continue  # a blank line, or a letter that is not needed any more
            elif again := failed.get(row_of(before)):
                failed_again = self._encode_failed_again(again.pop(0), before)
                yield Fate(failed_again, decode_object(failed_again), is_delivered=False)
            else:
                yield Fate(line, before, is_delivered=True)
        for letter in chain.from_iterable(failed.values()):
            yield Fate(self._encode_failed_again(letter, {}), letter, is_delivered=False)

    def _encode_failed_again(self, letter: Mapping[str, Any], before: Mapping[str, Any]) -> bytes:
        """The line of a letter that failed again: it is as old as it was before."""
        kept = {name: before[name] for name in ("time", "sync_time") if before.get(name)}
        return encode_letter({**letter, **kept})

    def _is_wanted(self, letter: Mapping[str, Any]) -> bool:
        """Whether to send a letter."""
        return not self._wanted_streams or letter["stream"] in self._wanted_streams

    def _appended(self, old: IO[bytes]) -> Iterator[bytes]:
        old.seek(self._size)
        while block := old.read(1 << 20):
            yield block

    def _replay_dead_letter(
        self, dead_letter: Mapping[str, Any], pipeline: Pipeline, number: int
    ) -> None:
        """Send a rejected call unchanged; encode again a record that became no call.

        Raises ConfigurationError if its destination or call type is unknown, or it is no record.
        """
        if "line" in dead_letter:
            raise ConfigurationError(
                f'A dead letter of stream "{dead_letter["stream"]}" is a line that could not be '
                "read. It stays; only its tap can send it again. Remove the letter after that."
            )
        destination = pipeline.find_destination(self._owner_of(dead_letter))

        if dead_letter.get(SUPERSEDED):
            destination.report.start_stream(dead_letter["stream"], dead_letter["call_type"])
            destination.report.add_read(dead_letter["stream"], 1)
            destination.report.add_filtered(dead_letter["stream"])
            self._superseded[dead_letter["stream"]] += 1
            return

        def is_new(call: Mapping[str, Any]) -> bool:
            return self._is_new(dead_letter, call, destination, number)

        if dead_letter["attempts"]:
            if is_new(dead_letter["call"]):
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
                is_wanted=lambda call: is_new(decode_object(call.body)),
            )
        pipeline.flush()

    def _owner_of(self, letter: Mapping[str, Any]) -> str:
        """The name of the destination of a letter. Raises ConfigurationError."""
        destinations = self.configuration.destinations
        for settings in destinations:
            if self.configuration.is_letter_of(settings, letter):
                return settings.destination_name
        names = ", ".join(settings.destination_name for settings in destinations)
        raise ConfigurationError(
            f"A dead letter belongs to none of the destinations {names}. Replay it with the "
            "settings of its own destination alone."
        )

    def _is_new(
        self,
        letter: Mapping[str, Any],
        call: Mapping[str, Any],
        destination: DestinationPipeline,
        number: int,
    ) -> bool:
        """Whether no other run's letter of the same event was sent; facts are sent each."""
        if "messageId" not in call or not self._is_event(letter):
            return True
        event = event_of(destination.name, call)
        row = run_time_of(letter), letter.get("position")
        sent = self._sent.setdefault(event, row)
        if sent is row or (sent[0] == row[0] and sent != row):
            return True
        self._same_rows[number] = _SameRow(
            event, destination, letter["stream"], letter["call_type"]
        )
        return False

    def _is_event(self, letter: Mapping[str, Any]) -> bool:
        """Whether equal rows of a letter's call type are several events."""
        name = letter["call_type"]
        if not letter["attempts"]:
            name = self._call_types.get(letter["stream"]) or name
        if name in self._plugins.call_types:
            return self._plugins.call_types[name].is_event
        return (letter.get("call") or {}).get("type") not in _FACTS

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
