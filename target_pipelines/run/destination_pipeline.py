"""One destination's part of a pipeline: from the encoder to settlement."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

from program_kit.exact_json import decode_object
from target_pipelines.acknowledgements.dead_letter_calls import call_of_dead_letter, key_of
from target_pipelines.acknowledgements.dead_letters import DeadLetter, letter_of_line
from target_pipelines.acknowledgements.settlement import Settlement
from target_pipelines.api.calls import EncodedCall, lines_of
from target_pipelines.delivery.rate_limiter import RateLimiter
from target_pipelines.delivery.sender_pool import SenderPool
from target_pipelines.destinations.trait_limits import find_exceeded_limits
from target_pipelines.encoding.encoder import Rejection, StreamEncoder
from target_pipelines.encoding.message_ids import Repeats
from target_pipelines.singer.streams import ALIAS, origin_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from target_pipelines.acknowledgements.report import RunReport
    from target_pipelines.api.destinations import Destination
    from target_pipelines.api.settings import TargetSettings
    from target_pipelines.encoding.encoder import Encoded
    from target_pipelines.run.bookkeeping import Bookkeeping
    from target_pipelines.singer.streams import Stream
    from target_pipelines.singer.unreadable import UnreadableRecord

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
    ) -> None:
        self.name = settings.destination_name
        self.report = report
        self._settings = settings
        self._destination = destination
        self._acks = bookkeeping.acks
        self._failures = bookkeeping.failures
        self._settlement = Settlement(
            bookkeeping.acks,
            bookkeeping.rejected[self.name],
            report,
            bookkeeping.failures,
            bookkeeping.newer_calls[self.name],
        )
        self._key_columns: dict[str, Collection[str]] = {}
        self._sync_times: dict[str, Any] = {}
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
            sync_times=self._sync_times,
        )
        self._logs_warnings = logs_warnings
        self._checked_streams: set[str] = set()
        self._encoders: dict[str, StreamEncoder] = {}
        self._repeats: dict[str, Repeats] = {}
        # Since the last flush.
        self._read: Counter[str] = Counter()
        self._calls: list[EncodedCall] = []
        self._dead_letters: list[DeadLetter] = []
        self._filtered: list[str] = []

    def start(self) -> None:
        """Start the senders."""
        self._senders.start()

    def start_stream(self, stream: Stream) -> None:
        """Records of this stream may follow."""
        before = self._encoders.get(stream.name)
        if before is None or before.is_resumed_by(stream):
            self._repeats[stream.name] = Repeats()
        self._encoders[stream.name] = StreamEncoder(
            stream,
            settings=self._settings,
            call_max_bytes=self._destination.limits.call_max_bytes,
            event_schemas=self._destination.event_schemas,
            call_schema=getattr(self._destination, "call_schema", {}),
            repeats=self._repeats[stream.name],
        )
        self._key_columns[stream.name] = stream.keys
        self._sync_times[stream.name] = stream.sync_time
        if stream.is_alias:
            self._senders.expect_aliases(stream.name)
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
        self,
        stream: Stream,
        record: dict[str, Any],
        line: bytes,
        position: int,
        repeat: int | None = None,
        is_wanted: Callable[[EncodedCall], bool] = lambda _: True,
    ) -> None:
        """Encode one record of a stream that was started; if the stream has failed, discard it.

        `repeat` says how many equal events came before it, where that is known. A call that is not
        wanted counts for nothing.
        """
        if stream.name in self._failures:
            self.report.discard(stream.name, 1)
            return
        encoder, epoch = self._encoders[stream.name], self._acks.epoch
        try:
            encoded = encoder.encode(record, epoch, line, position, repeat)
        except Exception as error:  # noqa: BLE001 - a bug fails its own stream only
            self.report.discard(stream.name, 1)
            self._failures.fail(stream.name, error)
            return
        if isinstance(encoded, EncodedCall) and not is_wanted(encoded):
            return
        self._read[stream.name] += 1
        if isinstance(encoded, EncodedCall):
            self._calls.append(encoded)
        else:
            self._set_aside(encoded, stream, line, position, repeat)

    def encode_block(self, stream: Stream, block: bytes, positions: Sequence[int]) -> int:
        """Encode the records of these lines; how many, or 0 if they must go one by one."""
        encoder, epoch = self._encoders[stream.name], self._acks.epoch
        try:
            encoded = encoder.encode_block(block, epoch, positions)
        except Exception as error:  # noqa: BLE001 - a bug fails its own stream only
            self._failures.fail(stream.name, error)
            return 0
        if encoded is None:
            return 0
        self._read[stream.name] += len(encoded)
        calls = [item for item in encoded if type(item) is EncodedCall]
        self._calls += calls
        if len(calls) < len(encoded):
            for item, line, position in zip(encoded, lines_of(block), positions, strict=False):
                self._set_aside(item, stream, line, position)
        return len(encoded)

    def _set_aside(
        self,
        encoded: Encoded,
        stream: Stream,
        line: bytes,
        position: int,
        repeat: int | None = None,
    ) -> None:
        """Keep a record without a call for the next flush: filtered out, or a dead letter."""
        if encoded is None:
            self._filtered.append(stream.name)
        elif isinstance(encoded, Rejection):
            record = decode_object(line)["record"]
            if repeat is None:
                repeat = self._encoders[stream.name].count_rejected(record)
            self._dead_letters.append(
                DeadLetter(
                    stream=stream.name,
                    call_type=stream.call_type.name,
                    destination=self.name,
                    reason=encoded.reason,
                    kind=encoded.kind,
                    key=key_of(record, stream.keys),
                    position=position,
                    call=encoded.call,
                    record=record,
                    sync_time=stream.sync_time,
                    last_sync_time=stream.last_sync_time,
                    origin=origin_of(stream, repeat),
                )
            )

    def reject_line(self, line: UnreadableRecord) -> None:
        """Keep a line that cannot be read as a dead letter."""
        self.report.start_stream(line.stream, line.call_type)
        self._read[line.stream] += 1
        self._dead_letters.append(letter_of_line(line, self.name))

    def resend(self, dead_letter: Mapping[str, Any]) -> None:
        """Send the call of a dead letter again, unchanged. Raises KeyError or TypeError."""
        call = call_of_dead_letter(dead_letter, self._acks.epoch)
        self.report.start_stream(call.stream, call.call_type)
        self._key_columns[call.stream] = dead_letter.get("key") or ()
        if dead_letter["call"].get("type") == ALIAS:
            self._senders.expect_aliases(call.stream)
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

    def hurry(self) -> None:
        """Send all that waits, in batches that are not full."""
        self._senders.hurry()

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
