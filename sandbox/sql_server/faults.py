"""Faults on demand: errors, delays and disconnects that a test injects.

A fault changes the results of one batch, or one login. Rows are counted over all result sets of
the batch. Faults that count rows do not apply to canned results, whose rows are
encoded already.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from sandbox.sql_server.results import ResultSet, SqlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sandbox.sql_server.results import Result
    from sandbox.sql_server.transport.packet_writer import PacketWriter


class HangUp(Exception):  # noqa: N818 - an instruction to the session, not a failure
    """Close the connection here, without a response."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The response that a fault disturbs: its writer, and whether the client still wants it."""

    writer: PacketWriter
    interrupted: threading.Event

    def wait(self, seconds: float | None) -> None:
        """Wait until the client cancels, but no longer than `seconds`; None means no limit."""
        self.interrupted.wait(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault that occurs `times` times."""

    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFault(Fault, ABC):
    """A fault of the next batch whose SQL contains `matching`; an empty text matches all."""

    matching: str = ""

    @abstractmethod
    def disturb(self, results: Iterator[Any], control: Answer, /) -> Iterator[Any]:
        """The results to send instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseAfterRows(BatchFault):
    """Send N rows, then close the connection."""

    rows: int = 0

    def disturb(self, results: Iterator[Result], control: Answer, /) -> Iterator[Result]:
        """See the class."""

        def hang_up() -> None:
            control.writer.flush()
            raise HangUp

        return _before_row(results, self.rows, hang_up)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseAfterBytes(BatchFault):
    """Send the first N bytes of the response, headers included, then close the connection."""

    size: int = 0

    def disturb(self, results: Iterator[Result], control: Answer, /) -> Iterator[Result]:
        """See the class."""
        control.writer.send = _cut(control.writer.send, self.size)
        return results


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay(BatchFault):
    """Wait before row N (0: before the response); without `seconds`, until the client cancels."""

    seconds: float | None = None
    before_row: int = 0

    def disturb(self, results: Iterator[Result], control: Answer, /) -> Iterator[Result]:
        """See the class."""

        def wait() -> None:
            control.writer.flush()
            control.wait(self.seconds)

        return _before_row(results, self.before_row, wait)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndEarly(BatchFault):
    """Send N rows and the end of the result, although the statement has more."""

    rows: int = 0

    def disturb(self, results: Iterator[Result], _: Answer, /) -> Iterator[Result]:
        """See the class."""

        def cut(rows: Iterator[Sequence[Any]]) -> Iterator[Sequence[Any]]:
            for number, values in enumerate(rows):
                if number < self.rows:
                    yield values

        for result in results:
            if isinstance(result, ResultSet):
                yield replace(result, rows=cut(result.rows))
            else:
                yield result


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerError(BatchFault):
    """Send N rows, then this error."""

    error: SqlError
    after_rows: int = 0

    def disturb(self, results: Iterator[Result], _: Answer, /) -> Iterator[Result]:
        """See the class."""

        def fail() -> None:
            raise self.error

        return _before_row(results, self.after_rows, fail)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefuseLogin(Fault):
    """Fail the next login with this error."""

    error: SqlError


@dataclass(frozen=True, slots=True, kw_only=True)
class StallAfterAccept(Fault):
    """Accept the next connection and send nothing; without `seconds`, until the server stops."""

    seconds: float | None = None


def _before_row(results: Iterator[Result], row: int, act: Callable[[], None]) -> Iterator[Result]:
    """Call `act` after `row` rows; with row 0, before the first result."""
    if row == 0:
        act()
        yield from results
        return
    taken = 0

    def count(rows: Iterator[Sequence[Any]]) -> Iterator[Sequence[Any]]:
        nonlocal taken
        for values in rows:
            yield values
            taken += 1
            if taken == row:
                act()

    for result in results:
        if isinstance(result, ResultSet):
            yield replace(result, rows=count(result.rows))
        else:
            yield result


def _cut(send: Callable[[bytes], None], size: int) -> Callable[[bytes], None]:
    remaining = size

    def send_until_cut(data: bytes) -> None:
        nonlocal remaining
        if len(data) >= remaining:
            send(data[:remaining])
            raise HangUp
        remaining -= len(data)
        send(data)

    return send_until_cut


_F = TypeVar("_F", bound=Fault)


class Faults:
    """The pending faults, in order; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []
        self._fired: list[Fault] = []

    def add(self, *faults: Fault) -> None:
        """Append faults to the queue."""
        with self._lock:
            self._waiting += faults

    def clear(self) -> None:
        """Remove all pending and fired faults."""
        with self._lock:
            self._waiting.clear()
            self._fired.clear()

    @property
    def fired(self) -> tuple[Fault, ...]:
        """The faults that occurred, one entry per occurrence."""
        with self._lock:
            return tuple(self._fired)

    def take(self, kind: type[_F]) -> _F | None:
        """Take the next fault of this kind; it counts as fired."""
        return self._take(kind, lambda _: True)

    def disturb(self, sql: str, results: Iterator[Any], control: Answer) -> Iterator[Any]:
        """Apply a batch's next fault to its results."""
        fault = self._take(BatchFault, lambda fault: fault.matching in sql)  # type: ignore[type-abstract]  # any kind of it
        return fault.disturb(results, control) if fault else results

    def _take(self, kind: type[_F], matches: Callable[[_F], bool]) -> _F | None:
        with self._lock:
            for index, fault in enumerate(self._waiting):
                if isinstance(fault, kind) and matches(fault):
                    self._fired.append(fault)
                    left = fault.times - 1
                    self._waiting[index : index + 1] = (
                        [replace(fault, times=left)] if left > 0 else []
                    )
                    return fault
        return None
