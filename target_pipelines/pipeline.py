"""The pipeline: Singer messages in; calls, dead letters and safe STATEs out."""

from __future__ import annotations

import contextlib
import logging
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

from tap_mssql_query.progress import Progress
from target_pipelines.acks import Acks, State
from target_pipelines.dead_letters import DeadLetter
from target_pipelines.delivery import Delivery
from target_pipelines.encoding import Rejection, StreamEncoder, encode_letter
from target_pipelines.errors import (
    ConfigurationError,
    InputError,
    PipelinesError,
    RecordWithoutKey,
    RecordWithoutSchema,
)
from target_pipelines.json_numbers import encode_json
from target_pipelines.messages import parse_message
from target_pipelines.pacing import Pacer
from target_pipelines.settlement import Settlement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from target_pipelines.batching import EncodedCall
    from target_pipelines.dead_letters import DeadLetters
    from target_pipelines.destinations import Destination
    from target_pipelines.plugin_host import Plugins
    from target_pipelines.report import RunReport
    from target_pipelines.settings import TargetSettings

logger = logging.getLogger(__name__)


class Pipeline:
    """One run. Lines are processed block by block; between blocks nothing is held back.

    Attributes:
        message_counts: how many messages have come, by type.
    """

    def __init__(
        self,
        settings: TargetSettings,
        plugins: Plugins,
        destination: Destination,
        *,
        dead_letters: DeadLetters,
        report: RunReport,
        write_state: Callable[[State], None],
        check_interrupted: Callable[[], None],
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._plugins = plugins
        self._destination = destination
        self._report = report
        self._acks = Acks(write_state)
        self._settlement = Settlement(
            self._acks,
            dead_letters,
            report,
            max_rejected_ratio=settings.max_rejected_ratio,
            stops_at_once=settings.on_rejected == "stop",
        )
        self._delivery = Delivery(
            destination,
            self._settlement,
            report,
            Pacer(settings.requests_per_second or destination.limits.requests_per_second),
            concurrency=settings.concurrency,
            max_retry_seconds=settings.max_retry_seconds,
            check_interrupted=check_interrupted,
            dice=dice,
        )
        self._encoders: dict[str, StreamEncoder] = {}
        self._call_types: dict[str, str] = {}
        self.message_counts: Counter[str] = Counter()
        self._progress = Progress("all", logger)
        self._line_number = 0
        # What the current block has brought since the last STATE.
        self._read: Counter[str] = Counter()
        self._calls: list[EncodedCall] = []
        self._letters: list[DeadLetter] = []
        self._filtered: list[str] = []

    def start(self) -> None:
        """Open for lines."""
        self._delivery.start()

    def process(self, lines: Iterable[bytes]) -> None:
        """Take a block of lines. Raises PipelinesError."""
        try:
            for line in lines:
                self._line_number += 1
                if not line.isspace():
                    self._process_message(parse_message(line, self._line_number), line)
        finally:  # what was read before a bad line is good
            self._hand_over()

    def take_letter(self, letter: dict[str, Any]) -> None:
        """Take a dead letter again: as the call that was refused, or from its record anew.

        Raises KeyError or TypeError if it is none.
        """
        stream, call_type = letter["stream"], letter["call_type"]
        if letter["attempts"]:
            self._report.start_stream(stream, call_type)
            self._read[stream] += 1
            self._calls.append(encode_letter(letter, self._acks.epoch))
        else:
            window = letter["last_sync_time"]
            encoder = self._encoders.get(stream)
            # Equal events stay distinct only while one encoder counts them.
            if encoder is None or (self._call_types[stream], encoder.last_sync_time) != (
                call_type,
                window,
            ):
                keywords = {"x-call-type": call_type, "x-last-sync-time": window}
                self._take_schema(stream, {"schema": keywords})
            self._take_record(stream, letter["record"], encode_json({"record": letter["record"]}))
        self._hand_over()

    def drain(self) -> None:
        """Wait until every record that was read is settled. Raises PipelinesError."""
        self._delivery.finish()

    def finish(self) -> None:
        """The input is at its end: settle everything, and count. Raises PipelinesError."""
        self.drain()
        self._destination.close()
        if not self._report.is_settled:
            raise PipelinesError(
                "The counts do not add up: rows read are not rows delivered, dead-lettered and "
                "filtered. This is a bug; the summary shows the stream."
            )

    def abandon(self) -> None:
        """The run ends early: what is in flight may end, nothing new begins."""
        self._delivery.abandon()

    def _process_message(self, message: dict[str, Any], line: bytes) -> None:
        self.message_counts[message["type"]] += 1
        match message["type"]:
            case "RECORD":
                self._take_record(message["stream"], message["record"], line)
            case "SCHEMA":
                self._take_schema(message["stream"], message)
            case "STATE":
                self._hand_over()
                self._acks.add_state(message["value"])

    def _take_schema(self, stream: str, message: dict[str, Any]) -> None:
        # The tap puts its keywords inside of the schema; others may put them beside it.
        keywords = {**message, **message["schema"]}
        name = self._settings.call_types.get(stream) or keywords.get("x-call-type")
        call_type = self._plugins.call_types[self._check_call_type(stream, name)]
        self._encoders[stream] = StreamEncoder(
            stream,
            call_type,
            plugin=self._plugins.call_types.plugin_of(call_type.name),
            last_sync_time=keywords.get("x-last-sync-time"),
            keys=frozenset(message.get("key_properties") or ()),
            settings=self._settings,
            call_max_bytes=self._destination.limits.call_max_bytes,
            event_schemas=self._destination.event_schemas,
        )
        self._call_types[stream] = call_type.name
        self._report.start_stream(stream, call_type.name)

    def _check_call_type(self, stream: str, name: object) -> str:
        known = ", ".join(self._plugins.call_types.names())
        if name is None:
            raise ConfigurationError(
                f'Stream "{stream}" does not say which call its rows are. Name it in '
                f"`call_types`; known are {known}."
            )
        if not isinstance(name, str) or name not in self._plugins.call_types:
            raise ConfigurationError(
                f'Stream "{stream}" asks for the call type "{name}", which no plugin offers. '
                f"Known are {known}."
            )
        return name

    def _take_record(self, stream: str, record: dict[str, Any], line: bytes) -> None:
        encoder = self._encoders.get(stream)
        if encoder is None:
            raise RecordWithoutSchema(
                f'Line {self._line_number} of the input is a RECORD of stream "{stream}", which '
                "has had no SCHEMA."
            )
        if encoder.keys and not encoder.keys <= record.keys():
            missing = ", ".join(sorted(encoder.keys - record.keys()))
            raise RecordWithoutKey(
                f'Line {self._line_number} of the input, a RECORD of stream "{stream}", lacks '
                f"its key: {missing}."
            )
        self._read[stream] += 1
        result = encoder.encode(record, self._acks.epoch, line)
        if result is None:
            self._filtered.append(stream)
        elif isinstance(result, Rejection):
            self._letters.append(
                DeadLetter(
                    stream=stream,
                    call_type=self._call_types[stream],
                    reason=result.reason,
                    call=result.call,
                    record=record,
                    last_sync_time=encoder.last_sync_time,
                )
            )
        else:
            self._calls.append(result)

    def _hand_over(self) -> None:
        """Count what was read, then settle it or give it to the lanes: once, whatever fails."""
        epoch = self._acks.epoch
        read, self._read = self._read, Counter()
        filtered, self._filtered = self._filtered, []
        letters, self._letters = self._letters, []
        calls, self._calls = self._calls, []
        self._acks.add_records(read.total())
        for stream, count in read.items():
            self._report.add_read(stream, count)
        self._progress.show(self._report.read)
        for stream in filtered:
            self._settlement.filter(stream, epoch)
        if letters:
            self._settlement.reject(letters, epoch)
        self._delivery.put(calls)


@contextlib.contextmanager
def running(pipeline: Pipeline) -> Any:
    """Start a pipeline; finish it at the end, abandon it when the block fails.

    After bad input it is drained: the rows before are good, and their STATE may pass.
    """
    pipeline.start()
    try:
        yield pipeline
        pipeline.finish()
    except InputError:
        pipeline.drain()
        raise
    except BaseException:
        pipeline.abandon()
        raise
