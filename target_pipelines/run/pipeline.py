"""The pipeline of one process: Singer messages in; calls, dead letters and safe STATEs out."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from program_kit.exact_json import decode_object
from program_kit.progress import Progress
from target_pipelines.api.calls import lines_of
from target_pipelines.api.errors import PipelinesError
from target_pipelines.singer.positions import FROM_ZERO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_pipelines.acknowledgements.acks import State
    from target_pipelines.run.bookkeeping import Bookkeeping
    from target_pipelines.run.destination_pipeline import DestinationPipeline
    from target_pipelines.singer.streams import Stream
    from target_pipelines.singer.unreadable import UnreadableRecord

logger = logging.getLogger(__name__)

BARRIER = "x-barrier"
"""In the STATE of a worker process: its parent waits until all before it is settled."""


class Pipeline:
    """Sends every record to all destinations, which share the bookkeeping."""

    def __init__(
        self,
        destinations: Sequence[DestinationPipeline],
        bookkeeping: Bookkeeping,
        *,
        shows_progress: bool = True,
    ) -> None:
        self._destinations = destinations
        self._bookkeeping = bookkeeping
        self._progress = Progress("all", logger) if shows_progress else None

    def start(self) -> None:
        """Start the senders."""
        for destination in self._destinations:
            destination.start()

    def handle_schema(self, stream: Stream, line: bytes = b"") -> None:  # noqa: ARG002
        """Records of this stream may follow."""
        for destination in self._destinations:
            destination.start_stream(stream)

    def handle_records(
        self, stream: Stream, block: bytes, positions: Sequence[int] = FROM_ZERO
    ) -> int:
        """Encode the RECORDs of these lines; 0 if they must come one by one."""
        first, *others = self._destinations
        count = first.encode_block(stream, block, positions)
        if not count:
            return 0
        for destination in others:
            if not destination.encode_block(stream, block, positions):
                for line, position in zip(lines_of(block), positions, strict=False):
                    record = decode_object(line)["record"]
                    destination.encode_record(stream, record, line, position)
        return count

    def handle_record(
        self, stream: Stream, record: dict[str, Any], line: bytes, position: int = 0
    ) -> None:
        """Encode one RECORD."""
        first, *others = self._destinations
        # Each has a record of its own: a plugin's `build` may change it.
        for destination in others:
            destination.encode_record(stream, decode_object(line)["record"], line, position)
        first.encode_record(stream, record, line, position)

    def handle_unreadable(self, record: UnreadableRecord) -> None:
        """Keep a line that cannot be read as a dead letter of each destination."""
        for destination in self._destinations:
            destination.reject_line(record)

    def discard(self, stream: str, count: int) -> None:
        """Count records of a failed stream, without sending them."""
        for destination in self._destinations:
            destination.report.discard(stream, count)

    def handle_state(self, state: State) -> None:
        """Print a STATE as soon as it is safe. Raises PipelinesError."""
        self.flush()
        if state.get(BARRIER):
            for destination in self._destinations:
                destination.hurry()
        self._bookkeeping.acks.add_state(state)

    def flush(self) -> None:
        """Pass on what was encoded since the last flush. Raises PipelinesError."""
        for destination in self._destinations:
            destination.flush()
        if self._progress:
            self._progress.show(self._destinations[0].report.read)

    def drain(self) -> None:
        """Wait until every record is settled. Raises PipelinesError."""
        for destination in self._destinations:
            destination.drain()

    def finish(self) -> None:
        """The input has ended: settle everything and verify the counts. Raises PipelinesError."""
        self.drain()
        for destination in self._destinations:
            destination.close()
        if not all(destination.report.is_settled for destination in self._destinations):
            raise PipelinesError(
                "The counts do not add up: rows read are not rows delivered, rejected, filtered "
                "and discarded. This is a bug; the summary shows the stream."
            )
        self._bookkeeping.finish()

    def interrupt(self) -> None:
        """Start no new requests; called by another thread, and more than once."""
        for destination in self._destinations:
            destination.stop()

    def abandon(self) -> None:
        """End early: let requests in flight end, start no new ones."""
        self.interrupt()
        for destination in self._destinations:
            destination.abandon()

    def find_destination(self, name: str) -> DestinationPipeline:
        """The destination of this name. Raises StopIteration if there is none."""
        return next(each for each in self._destinations if each.name == name)
