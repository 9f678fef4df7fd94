"""Dispatches the messages of the input: lines → Singer messages → the run's handler."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol

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

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_pipelines.acknowledgements.acks import State
    from target_pipelines.acknowledgements.stream_failures import StreamFailures
    from target_pipelines.plugins.loading import PluginRegistry
    from target_pipelines.singer.positions import Positions

_FEW_LINES = 16


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
        self._streams: dict[str, Stream] = {}
        self._line_number = 0
        self.message_counts: Counter[str] = Counter()

    def dispatch(self, block: bytes) -> None:
        """Handle a block of whole lines. Raises PipelinesError."""
        try:
            if not self._dispatch_records(block):
                for group in group_records(block.splitlines(keepends=True)):
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
        if stream is None or stream.name in self._failures:
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
        count = len(block.splitlines())
        self._line_number += count
        self.message_counts["RECORD"] += count
        self._handler.discard(stream, count)
        return True

    def _dispatch_line(self, line: bytes) -> None:
        self._check_interrupted()  # the `build` of a plugin may take long for each
        self._line_number += 1
        if line.isspace():
            return
        message = parse_message(line, self._line_number)
        self.message_counts[message["type"]] += 1
        stream = stream_of(message)
        if stream is None:
            check_message(message, self._line_number)
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
