"""Dispatches the messages of the input: lines → Singer messages → the run's handler."""

from __future__ import annotations

import logging
from collections import Counter
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol

from program_kit.json_limits import may_exceed
from target_pipelines.api.errors import InputError
from target_pipelines.singer.messages import (
    are_records,
    check_message,
    group_records,
    parse_message,
    stream_of,
    stream_of_record,
)
from target_pipelines.singer.positions import CountedPositions
from target_pipelines.singer.repair import UnreadableLine, head_of
from target_pipelines.singer.streams import Stream, check_record, parse_schema
from target_pipelines.singer.unreadable import (
    UNKNOWN_STREAM,
    UNREADABLE,
    UnreadableRecord,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_pipelines.acknowledgements.acks import State
    from target_pipelines.acknowledgements.stream_failures import StreamFailures
    from target_pipelines.plugins.loading import PluginRegistry
    from target_pipelines.singer.positions import Positions

_FEW_LINES = 16

logger = logging.getLogger(__name__)


class MessageHandler(Protocol):
    """What a run does with each message. All methods raise PipelinesError."""

    def handle_schema(self, stream: Stream, line: bytes) -> None:
        """Records of this stream may follow."""

    def handle_records(self, stream: Stream, block: bytes, positions: Sequence[int]) -> int:
        """Handle lines that should all be RECORDs of a stream, much faster than one by one.

        `positions` has at least as many entries as there are records. Returns how many there were,
        or 0 if nothing was done and they must be parsed one by one.
        """

    def handle_record(
        self, stream: Stream, record: dict[str, Any], line: bytes, position: int
    ) -> None:
        """Handle one RECORD of a stream that has had its SCHEMA, with its position there."""

    def handle_unreadable(self, record: UnreadableRecord) -> None:
        """Handle a line that cannot be read, which becomes a dead letter."""

    def discard(self, stream: str, count: int) -> None:
        """Count RECORDs of a stream that has failed."""

    def handle_state(self, state: State) -> None:
        """Handle a STATE; all messages before it were handled."""

    def flush(self) -> None:
        """Pass on what was handled since the last flush."""


class Dispatcher:
    """Parses the input of one run and calls its handler; flushes after each block.

    What is wrong with a message of one stream fails that stream; its RECORDs are discarded then.

    Attributes:
        message_counts: how many messages were read, by type.
    """

    def __init__(
        self,
        handler: MessageHandler,
        *,
        plugins: PluginRegistry,
        call_types: Mapping[str, str],
        failures: StreamFailures,
        started_at: float | None = None,
        positions: Positions | None = None,
    ) -> None:
        self._handler = handler
        self._failures = failures
        self._plugins = plugins
        self._call_types = call_types
        self._started_at = started_at
        self._positions = positions or CountedPositions()
        self._streams: dict[str, Stream] = {}
        self._line_number = 0
        self._replaced = 0
        self._unknown: list[int] = []
        self.message_counts: Counter[str] = Counter()

    def dispatch(self, block: bytes) -> None:
        """Handle a block of whole lines. Raises PipelinesError."""
        try:
            if not self._dispatch_records(block):
                for group in group_records(list(BytesIO(block))):
                    self._dispatch_group(group)
        finally:  # the lines before an invalid one are valid
            self._handler.flush()

    def _dispatch_group(self, lines: Sequence[bytes]) -> None:
        """Dispatch lines that begin alike: all together if possible, else in halves."""
        block = b"".join(lines)
        if self._dispatch_records(block) or self._discard_records(block):
            return
        if len(lines) > _FEW_LINES:
            middle = len(lines) // 2
            self._dispatch_group(lines[:middle])
            self._dispatch_group(lines[middle:])
        else:
            for line in lines:
                self._dispatch_line(line)

    def _dispatch_records(self, block: bytes) -> bool:
        """Dispatch lines that are all RECORDs of one stream; False if any of them is not."""
        stream = self._streams.get(stream_of_record(block) or "")
        if stream is None or stream.name in self._failures or may_exceed(block):
            return False
        positions = self._positions.of_block(stream, block)
        count = positions and self._handler.handle_records(stream, block, positions)
        if not count:
            return False
        self._positions.advance(stream, count)
        self._line_number += block.count(b"\n") or 1
        self.message_counts["RECORD"] += count
        return True

    def _discard_records(self, block: bytes) -> bool:
        """Discard lines that begin alike if they are RECORDs of a stream that has failed."""
        stream = stream_of_record(block)
        if stream is None or stream not in self._failures or not are_records(block):
            return False
        count = block.count(b"\n") or 1
        self._line_number += count
        self.message_counts["RECORD"] += count
        self._handler.discard(stream, count)
        return True

    def _dispatch_line(self, line: bytes) -> None:
        self._line_number += 1
        if line.isspace():
            return
        try:
            message, line, is_replaced = parse_message(line, self._line_number)
        except UnreadableLine as error:
            self._handle_unreadable(line, f"The line cannot be read: {error}.")
            return
        self._replaced += is_replaced
        self.message_counts[message["type"]] += 1
        stream = stream_of(message)
        if stream is None:
            if message["type"] == "STATE":
                self._handler.handle_state(message["value"])
            elif message["type"] == UNREADABLE:
                self._handler.handle_unreadable(UnreadableRecord.from_message(message))
            return
        if stream not in self._failures:
            try:
                self._dispatch_of_stream(message, line)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is about this stream
                self._failures.fail(stream, error)
            else:
                return
        if message["type"] == "RECORD":
            self._handler.discard(stream, 1)

    def _handle_unreadable(self, line: bytes, reason: str) -> None:
        """Handle a line that cannot be read: of a stream, if it says so, or of nobody knows."""
        kind, name = head_of(line) or ("", "")
        stream = self._streams.get(name)
        if name in self._failures:
            self._handler.discard(name, kind == "RECORD")
        elif kind == "SCHEMA":
            self._failures.fail(name, InputError(f'Stream "{name}": {reason} Correct the tap.'))
        else:
            self._handler.handle_unreadable(self._describe(stream, line, reason))

    def _describe(self, stream: Stream | None, line: bytes, reason: str) -> UnreadableRecord:
        if stream is None:
            self._unknown.append(self._line_number)
            return UnreadableRecord(UNKNOWN_STREAM, "", 0, None, reason, text_of(line))
        position = self._positions.of_message(stream, {})
        self._positions.advance(stream, 1)
        call_type, since = stream.call_type.name, stream.last_sync_time
        return UnreadableRecord(stream.name, call_type, position, since, reason, text_of(line))

    def finish(self) -> None:
        """The input has ended: say what was replaced. Raises InputError for lines of no stream."""
        if self._replaced:
            logger.warning(
                "Lines with characters that are none, replaced by U+FFFD: %d. Correct the tap.",
                self._replaced,
            )
        if self._unknown:
            raise InputError(
                f"Lines of the input that cannot be read, and name no stream: {len(self._unknown)}"
                f" (the first is line {self._unknown[0]}). They are dead letters of the stream "
                f'"{UNKNOWN_STREAM}", with the reason. All others went through. Correct the tap.'
            )

    def _dispatch_of_stream(self, message: Mapping[str, Any], line: bytes) -> None:
        """Handle a SCHEMA or a RECORD. Raises what is wrong with it."""
        check_message(message, self._line_number)
        if message["type"] == "RECORD":
            stream = self._streams.get(message["stream"])
            stream = check_record(stream, message, self._line_number)
            position = self._positions.of_message(stream, message)
            self._positions.advance(stream, 1)
            self._handler.handle_record(stream, message["record"], line, position)
        else:
            stream = parse_schema(
                message, self._plugins, self._call_types, started_at=self._started_at
            )
            self._streams[stream.name] = stream
            self._positions.start(stream)
            if stream.moves_bookmark:
                self._failures.expect_bookmark(stream.name)
            self._handler.handle_schema(stream, line)
