"""Writes safe STATEs: after the dead letters that they cover, without what failed streams moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_pipelines.acknowledgements.acks import is_empty
from target_pipelines.api.errors import DeliveryStopped

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from target_pipelines.acknowledgements.acks import State
    from target_pipelines.acknowledgements.staged_dead_letters import StagedDeadLetters
    from target_pipelines.acknowledgements.stream_failures import StreamFailures


class StateWriter:
    """Writes STATEs one at a time; `dead_letters` has those of each destination."""

    def __init__(
        self,
        write_state: Callable[[State], None],
        failures: StreamFailures,
        dead_letters: Sequence[StagedDeadLetters],
    ) -> None:
        self._write_state = write_state
        self._failures = failures
        self._dead_letters = dead_letters
        self._has_written = False

    def write(self, state: State, epoch: int) -> None:
        """Write a STATE that is safe up to this epoch.

        A STATE without bookmarks says nothing as long as none was written: it is only remembered.
        Raises PipelinesError.
        """
        waiting = self._failures.unmoved(state)
        state = self._failures.put_back(state, self._commit(epoch, waiting))
        if self._has_written or not is_empty(state):
            self._write_state(state)
            self._has_written = True
        self._failures.note_settled(state)

    def finish(self) -> None:
        """The input has ended: write the dead letters that no STATE covers, as of a backfill.

        If the tap should have moved a stream's bookmark and has not, it stopped reading the stream.
        The next run reads those rows again, so their dead letters are dropped.
        """
        expected = self._failures.expected
        staged = frozenset[str]().union(*(each.streams(None) for each in self._dead_letters))
        self._failures.unfinished = (staged & expected) - self._failures.snapshot()
        self._commit(None, expected)

    def _commit(self, epoch: int | None, waiting: Collection[str] = frozenset()) -> frozenset[str]:
        """Write the dead letters up to an epoch; the streams that had failed before, or fail so.

        Those of `waiting` streams stay staged: their bookmark does not move, so the next run would
        read, and reject, the same rows. A stream that fails while this runs is not among the failed
        ones: what the STATE covers was settled.
        """
        failed = self._failures.snapshot()
        for dead_letters in self._dead_letters:
            try:
                dead_letters.commit(epoch, failed, waiting)
            except DeliveryStopped as error:
                for stream in dead_letters.streams(epoch) - failed:
                    self._failures.fail(stream, error)
                    failed |= {stream}
        return failed
