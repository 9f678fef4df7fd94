"""Which streams of a run have failed, and the bookmarks that STATEs keep for them.

A stream fails alone: its remaining records are discarded, and every later STATE carries the
bookmark that it had in the last STATE which was safe before. Without such a STATE nothing could be
put back, so the run stops instead.
"""

from __future__ import annotations

import logging
import threading
import traceback
from typing import TYPE_CHECKING, Any

from target_pipelines.api.errors import PipelinesError, StreamsFailed
from target_pipelines.singer.unreadable import UNKNOWN_STREAM

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from target_pipelines.acknowledgements.acks import State

logger = logging.getLogger(__name__)


class StreamFailures:
    """The failed streams of one run; safe to use from many threads.

    Attributes:
        on_failure: is called once for each stream that fails.
        unfinished: streams whose rejected rows are read again, as their bookmarks did not move.
        limited: streams of which the tap reads the first rows alone, and no bookmark moves.

    Args:
        settled: the bookmarks to put back before the first STATE; None if they are unknown.
        on_failure: as the attribute.
    """

    def __init__(
        self,
        settled: Mapping[str, Any] | None = None,
        on_failure: Callable[[str, PipelinesError], None] = lambda _stream, _error: None,
    ) -> None:
        self._settled = settled
        self.on_failure = on_failure
        self._lock = threading.Lock()
        self._expected: set[str] = set()
        self.unfinished: frozenset[str] = frozenset()
        self.limited: frozenset[str] = frozenset()
        self._errors: dict[str, PipelinesError] = {}
        self._fatal: dict[str, PipelinesError] = {}

    def __contains__(self, stream: str) -> bool:
        return stream in self._errors

    def __bool__(self) -> bool:
        return bool(self._errors)

    @property
    def errors(self) -> Mapping[str, PipelinesError]:
        """Why each stream failed, also the one that stopped the run."""
        with self._lock:
            return {**self._fatal, **self._errors}

    def snapshot(self) -> frozenset[str]:
        """The streams that have failed so far."""
        with self._lock:
            return frozenset(self._errors)

    def fail(self, stream: str, error: Exception) -> None:
        """Let a stream fail; only its first error counts.

        Raises the error if the stream's bookmark is unknown: then the run must stop.
        """
        failure = error if isinstance(error, PipelinesError) else _describe_bug(stream, error)
        with self._lock:
            if stream in self._errors:
                return
            if self._settled is None or stream == UNKNOWN_STREAM:
                self._fatal[stream] = failure
                raise failure
            self._errors[stream] = failure
        logger.warning("stream=%s failed; the other streams go on: %s", stream, failure)
        self.on_failure(stream, failure)

    def note(self, stream: str, error: PipelinesError) -> None:
        """Take over a failure that was found, and reported, elsewhere."""
        with self._lock:
            self._errors.setdefault(stream, error)

    def expect_bookmark(self, stream: str) -> None:
        """The tap moves the bookmark of this stream once all its rows are read."""
        self._expected.add(stream)

    def expect_no_state(self) -> None:
        """The tap moves no bookmark: there is none to put back if a stream fails."""
        if self._settled is None:
            self._settled = {}

    def note_limited(self, stream: str) -> None:
        """The tap reads the first rows of a stream alone; the next run reads them again."""
        self.limited |= {stream}
        self._expected.add(stream)

    @property
    def expected(self) -> frozenset[str]:
        """The streams whose bookmark moves with their last row; none if the tap sends no STATE."""
        return frozenset() if self._settled is None else frozenset(self._expected)

    def note_settled(self, state: State) -> None:
        """A STATE is safe: its bookmarks are what a failing stream keeps from now on."""
        self._settled = _bookmarks_of(state)

    def unmoved(self, state: State) -> frozenset[str]:
        """The streams whose bookmark is the same in a STATE as in the last safe one."""
        bookmarks, settled = _bookmarks_of(state), self._settled
        if bookmarks is None or settled is None:
            return frozenset()
        return frozenset(name for name in settled if bookmarks.get(name) == settled[name])

    def put_back(self, state: State, failed: Collection[str]) -> State:
        """The STATE with the settled bookmarks of the failed streams.

        Raises the error of a failed stream if the STATE has no bookmarks of streams.
        """
        if not failed:
            return state
        bookmarks, settled = _bookmarks_of(state), self._settled
        if bookmarks is None or settled is None:
            raise next(self._errors[stream] for stream in sorted(failed))
        # A name that the STATE no longer has may be the former one of a renamed stream that failed.
        kept = {name: bookmarks[name] for name in bookmarks if name not in failed}
        own = {name: settled[name] for name in settled if name not in kept}
        return {**state, "bookmarks": {**kept, **own}}

    def raise_failures(self) -> None:
        """Raise the error of the failed streams, if any: of one, or of all together."""
        errors = self.errors
        if len(errors) == 1:
            raise next(iter(errors.values()))
        if errors:
            raise StreamsFailed(errors)


def _bookmarks_of(state: State) -> Mapping[str, Any] | None:
    """The bookmarks of a STATE by stream; None if it has another shape."""
    bookmarks = state.get("bookmarks", None if state else {})
    if not isinstance(bookmarks, dict):
        return None
    return bookmarks if all(isinstance(value, dict) for value in bookmarks.values()) else None


def _describe_bug(stream: str, error: Exception) -> PipelinesError:
    """An unexpected exception as an error, without its text, which may hold values."""
    logger.error(
        "stream=%s: %s\n%s",
        stream,
        type(error).__name__,
        "".join(traceback.format_tb(error.__traceback__)),
    )
    failure = PipelinesError(
        f'Stream "{stream}" failed: {type(error).__name__}. This is a bug, of a plugin or of this '
        "program; the traceback is in the log. Report it."
    )
    failure.__cause__ = error
    return failure
