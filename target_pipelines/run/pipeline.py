"""The pipeline: Singer messages in; calls, dead letters and safe STATEs out."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol

from program_kit.exact_json import decode_object, encode_json
from program_kit.progress import Progress
from target_pipelines.api.calls import lines_of
from target_pipelines.api.errors import (
    ConfigurationError,
    InputError,
    PipelinesError,
)
from target_pipelines.singer.messages import group_records, parse_message, stream_of_record
from target_pipelines.singer.streams import Stream, check_record, parse_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from target_pipelines.acknowledgements.acks import Acks
    from target_pipelines.plugins.loading import Plugins
    from target_pipelines.run.destination_pipeline import DestinationPipeline

_FEW_LINES = 16

logger = logging.getLogger(__name__)


class Run(Protocol):
    """What takes the lines of a run: a `Pipeline`, or several of them in processes of their own."""

    message_counts: Counter[str]

    def start(self) -> None:
        """Open for lines."""

    def process(self, block: bytes) -> None:
        """Take a block of lines. Raises PipelinesError."""

    def drain(self) -> None:
        """Wait until every record that was read is settled. Raises PipelinesError."""

    def finish(self) -> None:
        """The input is at its end: settle everything, and count. Raises PipelinesError."""

    def abandon(self) -> None:
        """The run ends early: what is in flight may end, nothing new begins."""


class Pipeline:
    """One run. Lines are processed block by block; between blocks nothing is held back.

    Every record takes all routes; `acks` is what they share.

    Attributes:
        message_counts: how many messages have come, by type.
    """

    def __init__(
        self,
        routes: Sequence[DestinationPipeline],
        acks: Acks,
        *,
        plugins: Plugins,
        call_types: Mapping[str, str],
        shows_progress: bool = True,
    ) -> None:
        self._routes = routes
        self._acks = acks
        self._plugins = plugins
        self._call_types = call_types
        self._streams: dict[str, Stream] = {}
        self.message_counts: Counter[str] = Counter()
        self._progress = Progress("all", logger) if shows_progress else None
        self._line_number = 0

    def start(self) -> None:
        """Open for lines."""
        for route in self._routes:
            route.start()

    def process(self, block: bytes) -> None:
        """Take a block of lines. Raises PipelinesError."""
        try:
            if not self._take_records(block):
                for group in group_records(block.splitlines(keepends=True)):
                    self._process_group(group)
        finally:  # what was read before a bad line is good
            self._flush()

    def replay_dead_letter(self, letter: dict[str, Any]) -> None:
        """Take a dead letter again: as the call that was refused, or from its record anew.

        Raises KeyError or TypeError if it is none; ConfigurationError if nobody can take it.
        """
        route = self._route_of(letter)
        if letter["attempts"]:
            route.resend(letter)
        else:
            stream = self._stream_of(letter)
            # Equal events stay distinct only while one encoder counts them.
            if self._streams.get(stream.name) != stream:
                self._start_stream(stream)
            record = letter["record"]
            route.encode_record(stream, record, encode_json({"record": record}))
        self._flush()

    def drain(self) -> None:
        """Wait until every record that was read is settled. Raises PipelinesError."""
        for route in self._routes:
            route.drain()

    def finish(self) -> None:
        """The input is at its end: settle everything, and count. Raises PipelinesError."""
        self.drain()
        for route in self._routes:
            route.close()
        if not all(route.report.is_settled for route in self._routes):
            raise PipelinesError(
                "The counts do not add up: rows read are not rows delivered, dead-lettered and "
                "filtered. This is a bug; the summary shows the stream."
            )

    def abandon(self) -> None:
        """The run ends early: what is in flight may end, nothing new begins."""
        for route in self._routes:
            route.stop()
        for route in self._routes:
            route.abandon()

    def _process_group(self, lines: Sequence[bytes]) -> None:
        """Take lines that begin alike: all together where that can be, else one by one."""
        if self._take_records(b"".join(lines)):
            return
        if len(lines) > _FEW_LINES:
            middle = len(lines) // 2
            self._process_group(lines[:middle])
            self._process_group(lines[middle:])
        else:
            for line in lines:
                self._line_number += 1
                if not line.isspace():
                    self._process_message(parse_message(line, self._line_number), line)

    def _take_records(self, block: bytes) -> bool:
        """Take lines that are records of one stream, if nothing is wrong with any of them."""
        stream = self._streams.get(stream_of_record(block) or "")
        count = stream and self._routes[0].encode_block(stream, block)
        if not stream or not count:
            return False
        for route in self._routes[1:]:
            if not route.encode_block(stream, block):
                for line in lines_of(block):
                    route.encode_record(stream, decode_object(line)["record"], line)
        self._line_number += count
        self.message_counts["RECORD"] += count
        return True

    def _process_message(self, message: dict[str, Any], line: bytes) -> None:
        self.message_counts[message["type"]] += 1
        match message["type"]:
            case "RECORD":
                stream = self._streams.get(message["stream"])
                stream = check_record(stream, message, self._line_number)
                for route in self._routes:
                    route.encode_record(stream, message["record"], line)
            case "SCHEMA":
                self._start_stream(parse_schema(message, self._plugins, self._call_types))
            case "STATE":
                self._flush()
                self._acks.add_state(message["value"])

    def _start_stream(self, stream: Stream) -> None:
        self._streams[stream.name] = stream
        for route in self._routes:
            route.start_stream(stream)

    def _flush(self) -> None:
        for route in self._routes:
            route.flush()
        if self._progress:
            self._progress.show(self._routes[0].report.read)

    # Replay

    def _stream_of(self, letter: Mapping[str, Any]) -> Stream:
        keywords = {
            "x-call-type": letter["call_type"],
            "x-last-sync-time": letter["last_sync_time"],
        }
        message = {"stream": letter["stream"], "schema": keywords}
        return parse_schema(message, self._plugins, self._call_types)

    def _route_of(self, letter: Mapping[str, Any]) -> DestinationPipeline:
        """The route that a letter came from; of one destination, that one."""
        if len(self._routes) == 1:
            return self._routes[0]
        for route in self._routes:
            if route.name == letter.get("destination"):
                return route
        names = ", ".join(route.name for route in self._routes)
        raise ConfigurationError(
            f"A dead letter names none of the destinations {names}. Replay it with the settings of "
            "its own destination alone."
        )


@contextlib.contextmanager
def running(pipeline: Run) -> Iterator[None]:
    """Start a run; finish it at the end, abandon it when the block fails.

    After bad input it is drained: the rows before are good, and their STATE may pass.
    """
    pipeline.start()
    try:
        yield
        pipeline.finish()
    except InputError:
        pipeline.drain()
        raise
    except BaseException:
        pipeline.abandon()
        raise
