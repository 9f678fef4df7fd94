"""One destination's part of a pipeline: from the encoder to settlement."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

from program_kit.exact_json import decode_object
from target_pipelines.acknowledgements.dead_letter_calls import encode_dead_letter, key_of
from target_pipelines.acknowledgements.dead_letters import DeadLetter
from target_pipelines.acknowledgements.settlement import Settlement
from target_pipelines.api.calls import EncodedCall, lines_of
from target_pipelines.delivery.rate_limiter import RateLimiter
from target_pipelines.delivery.sender_pool import SenderPool
from target_pipelines.destinations.trait_limits import find_exceeded_limits
from target_pipelines.encoding.encoder import Rejection, StreamEncoder

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from target_pipelines.acknowledgements.report import RunReport
    from target_pipelines.api.destinations import Destination
    from target_pipelines.api.settings import TargetSettings
    from target_pipelines.encoding.encoder import Encoded
    from target_pipelines.run.bookkeeping import Bookkeeping
    from target_pipelines.singer.streams import Stream

logger = logging.getLogger(__name__)


class DestinationPipeline:
    """Encodes records one by one or in blocks, and passes them on at each flush.

    The destinations of a run share only the acknowledgements, so that a STATE waits for all.

    Attributes:
        name: the destination's name in dead letters and in the summary.
        report: its counts.
    """

    def __init__(
        self,
        settings: TargetSettings,
        destination: Destination,
        bookkeeping: Bookkeeping,
        *,
        report: RunReport,
        check_interrupted: Callable[[], None],
        jitter: Callable[[], float],
        logs_warnings: bool = True,
        counts_positions: bool = True,
    ) -> None:
        self.name = settings.destination_name
        self.report = report
        self._settings = settings
        self._destination = destination
        self._acks = bookkeeping.acks
        self._failures = bookkeeping.failures
        self._settlement = Settlement(
            bookkeeping.acks, bookkeeping.rejected[self.name], report, bookkeeping.failures
        )
        self._key_columns: dict[str, Collection[str]] = {}
        self._senders = SenderPool(
            destination,
            self._settlement,
            report,
            RateLimiter(settings.requests_per_second or destination.limits.requests_per_second),
            name=self.name,
            concurrency=settings.concurrency,
            max_retry_seconds=settings.max_retry_seconds,
            check_interrupted=check_interrupted,
            jitter=jitter,
            key_columns=self._key_columns,
        )
        self._logs_warnings = logs_warnings
        self._checked_streams: set[str] = set()
        self._encoders: dict[str, StreamEncoder] = {}
        self._counts_positions = counts_positions
        self._positions: Counter[str] = Counter()
        self._streams: dict[str, Stream] = {}
        # Since the last flush.
        self._read: Counter[str] = Counter()
        self._calls: list[EncodedCall] = []
        self._dead_letters: list[DeadLetter] = []
        self._filtered: list[str] = []

    def start(self) -> None:
        """Start the senders."""
        self._senders.start()

    def start_stream(self, stream: Stream) -> None:
        """Records of this stream may follow; another SCHEMA than before begins another result."""
        if self._streams.get(stream.name) != stream:
            self._streams[stream.name] = stream
            self._positions[stream.name] = 0
        self._encoders[stream.name] = StreamEncoder(
            stream,
            settings=self._settings,
            call_max_bytes=self._destination.limits.call_max_bytes,
            event_schemas=self._destination.event_schemas,
        )
        self._key_columns[stream.name] = stream.keys
        self.report.start_stream(stream.name, stream.call_type.name)
        if self._logs_warnings and stream.name not in self._checked_streams:
            self._checked_streams.add(stream.name)
            self._warn_of_limits(stream)

    def _warn_of_limits(self, stream: Stream) -> None:
        if exceeded := list(find_exceeded_limits(stream, self._destination.limits)):
            logger.warning(
                "stream=%s destination=%s: %s. Remove or rename columns in the query.",
                stream.name,
                self.name,
                "; ".join(exceeded),
            )

    def encode_record(
        self, stream: Stream, record: dict[str, Any], line: bytes, position: int | None = None
    ) -> None:
        """Encode one record of a stream that was started; if the stream has failed, discard it.

        `position` is for a record that does not follow the last one.
        """
        if stream.name in self._failures:
            self.report.discard(stream.name, 1)
            return
        try:
            position = self._position(stream.name) if position is None else position
            encoded = self._encoders[stream.name].encode(record, self._acks.epoch, line, position)
        except Exception as error:  # noqa: BLE001 - a bug fails its own stream only
            self.report.discard(stream.name, 1)
            self._failures.fail(stream.name, error)
            return
        self._count(stream.name, 1)
        if isinstance(encoded, EncodedCall):
            self._calls.append(encoded)
        else:
            self._set_aside(encoded, stream, line, position)

    def encode_block(self, stream: Stream, block: bytes) -> int:
        """Encode the records of these lines; how many, or 0 if they must go one by one."""
        try:
            position = self._position(stream.name)
            encoded = self._encoders[stream.name].encode_block(block, self._acks.epoch, position)
        except Exception as error:  # noqa: BLE001 - a bug fails its own stream only
            self._failures.fail(stream.name, error)
            return 0
        if encoded is None:
            return 0
        self._count(stream.name, len(encoded))
        calls = [item for item in encoded if type(item) is EncodedCall]
        self._calls += calls
        if len(calls) < len(encoded):
            for number, (item, line) in enumerate(zip(encoded, lines_of(block), strict=True)):
                self._set_aside(item, stream, line, -1 if position < 0 else position + number)
        return len(encoded)

    def _position(self, stream: str) -> int:
        """The position of the next record; -1 if it is unknown."""
        return self._positions[stream] if self._counts_positions else -1

    def _count(self, stream: str, count: int) -> None:
        self._read[stream] += count
        self._positions[stream] += count

    def _set_aside(self, encoded: Encoded, stream: Stream, line: bytes, position: int) -> None:
        """Keep a record without a call for the next flush: filtered out, or a dead letter."""
        if encoded is None:
            self._filtered.append(stream.name)
        elif isinstance(encoded, Rejection):
            record = decode_object(line)["record"]
            self._dead_letters.append(
                DeadLetter(
                    stream=stream.name,
                    call_type=stream.call_type.name,
                    destination=self.name,
                    reason=encoded.reason,
                    kind=encoded.kind,
                    key=key_of(record, stream.keys),
                    position=position if position >= 0 else None,
                    call=encoded.call,
                    record=record,
                    last_sync_time=stream.last_sync_time,
                )
            )

    def resend(self, dead_letter: Mapping[str, Any]) -> None:
        """Send the call of a dead letter again, unchanged. Raises KeyError or TypeError."""
        call = encode_dead_letter(dead_letter, self._acks.epoch)
        self.report.start_stream(call.stream, call.call_type)
        self._key_columns[call.stream] = dead_letter.get("key") or ()
        self._read[call.stream] += 1
        self._calls.append(call)

    def flush(self) -> None:
        """Count what was read since the last flush; settle it, or queue it for the senders.

        Nothing is passed on twice, even if this raises PipelinesError.
        """
        epoch = self._acks.epoch
        read, self._read = self._read, Counter()
        filtered, self._filtered = self._filtered, []
        dead_letters, self._dead_letters = self._dead_letters, []
        calls, self._calls = self._calls, []
        self._acks.expect(read.total())
        for stream, count in read.items():
            self.report.add_read(stream, count)
        for stream in filtered:
            self._settlement.filter(stream, epoch)
        if dead_letters:
            self._settlement.reject(dead_letters, epoch)
        self._senders.put(calls)

    def drain(self) -> None:
        """Wait until every record is settled. Raises PipelinesError."""
        self._senders.finish()

    def close(self) -> None:
        """Close the destination, after everything was delivered."""
        self._destination.close()

    def stop(self) -> None:
        """Start no new requests."""
        self._senders.stop()

    def abandon(self) -> None:
        """Start no new requests; wait a few seconds for those in flight."""
        self._senders.abandon()
