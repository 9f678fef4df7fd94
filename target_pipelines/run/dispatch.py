"""Dispatches the messages of the input: lines → Singer messages → the run's handler."""

from __future__ import annotations

import logging
from collections import Counter
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol

from program_kit.json_limits import may_be_too_deep, may_have_too_many_digits
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
from target_pipelines.singer.streams import Stream, check_record, parse_schema
from target_pipelines.singer.unreadable import (
    UNKNOWN_STREAM,
    UnreadableLine,
    UnreadableRecord,
    head_of,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_pipelines.acknowledgements.acks import State
    from target_pipelines.acknowledgements.stream_failures import StreamFailures
    from target_pipelines.plugins.loading import PluginRegistry
    from target_pipelines.singer.positions import Positions

_FEW_LINES = 16
_EMPTY_RECORD = b'{"record":{}}\n'

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
        streams: those that had a SCHEMA, by name.
    """

    def __init__(
        self,
        handler: MessageHandler,
        *,
        plugins: PluginRegistry,
        call_types: Mapping[str, str | None],
        failures: StreamFailures,
        started_at: float | None = None,
        positions: Positions | None = None,
        check_interrupted: Callable[[], None] = lambda: None,
    ) -> None:
        self._handler = handler
        self._failures = failures
        self._plugins = plugins
        self._call_types = call_types
        self._started_at = started_at
        self._check_interrupted = check_interrupted
        self._positions = positions or CountedPositions()
        self.streams: dict[str, Stream] = {}
        self._line_number = 0
        self._replaced = 0
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
        stream = self.streams.get(stream_of_record(block) or "")
        if stream is None or stream.name in self._failures or _may_exceed_limits(stream, block):
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
        count = block.count(b"\n") + (not block.endswith(b"\n"))
        self._line_number += count
        self.message_counts["RECORD"] += count
        self._handler.discard(stream, count)
        return True

    def _dispatch_line(self, line: bytes) -> None:
        self._check_interrupted()  # the `build` of a plugin may take long for each
        self._line_number += 1
        if line.isspace():
            return
        try:
            message, line, replaced = parse_message(line, self._line_number)
        except UnreadableLine as error:
            self._handle_unreadable(line, f"The line cannot be read: {error}.")
            return
        self._replaced += replaced
        self.message_counts[message["type"]] += 1
        stream = stream_of(message)
        if stream is None:
            if message["type"] == "STATE":
                self._handler.handle_state(message["value"])
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
        head = head_of(line)
        kind, name = head.get("type"), head.get("stream", "")
        stream = self.streams.get(name)
        if kind == "RECORD" and name in self._failures:
            self._handler.discard(name, 1)
        elif kind == "SCHEMA" and name:
            self._failures.fail(name, InputError(f'Stream "{name}": {reason} Correct the tap.'))
        elif kind == "RECORD" and stream:
            position = self._positions.of_message(stream, {})
            self._positions.advance(stream, 1)
            if stream.is_left_out:
                self._handler.handle_record(stream, {}, _EMPTY_RECORD, position)
            else:
                self._handler.handle_unreadable(
                    UnreadableRecord(
                        stream.name,
                        stream.call_type.name,
                        position,
                        stream.last_sync_time,
                        reason,
                        text_of(line),
                    )
                )
        else:
            position = self._line_number - 1
            self._handler.handle_unreadable(
                UnreadableRecord(UNKNOWN_STREAM, "", position, None, reason, text_of(line))
            )

    def finish(self) -> None:
        """The input has ended: say what was replaced."""
        if self._replaced:
            logger.warning(
                "%d characters of the input are none, and were replaced by U+FFFD. Correct the "
                "tap, or the text in its source.",
                self._replaced,
            )

    def _dispatch_of_stream(self, message: Mapping[str, Any], line: bytes) -> None:
        """Handle a SCHEMA or a RECORD. Raises what is wrong with it."""
        check_message(message, self._line_number)
        if message["type"] == "RECORD":
            stream = self.streams.get(message["stream"])
            stream = check_record(stream, message, self._line_number)
            position = self._positions.of_message(stream, message)
            self._positions.advance(stream, 1)
            self._handler.handle_record(stream, message["record"], line, position)
        else:
            stream = parse_schema(
                message, self._plugins, self._call_types, started_at=self._started_at
            )
            self.streams[stream.name] = stream
            self._positions.start(stream)
            self._expect_bookmark(stream)
            self._handler.handle_schema(stream, line)

    def _expect_bookmark(self, stream: Stream) -> None:
        """Note whether a STATE will come for the rows of a stream, or another run reads them."""
        if stream.is_limited or stream.is_backfill:
            self._failures.expect_no_state()
        if stream.is_limited:
            self._failures.note_limited(stream.name)
        elif stream.moves_bookmark and not stream.is_backfill:
            self._failures.expect_bookmark(stream.name)


def _may_exceed_limits(stream: Stream, block: bytes) -> bool:
    return may_have_too_many_digits(block) or (not stream.is_flat and may_be_too_deep(block))
