"""Acknowledgements: owns the rule which STATE is safe to print.

The input between two STATEs is an epoch. An epoch counts the acknowledgements that are still
missing; a STATE is safe when its own epoch and all earlier ones miss none. Within a process each
destination acknowledges each record; in a run over several processes each worker acknowledges each
STATE, once it would print that STATE itself.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    WriteState = Callable[[dict[str, Any], int], None]
    """Writes a STATE that is safe; the number is that of the epoch which it ends."""

State = dict[str, Any]


def is_empty(state: State) -> bool:
    """Whether a STATE has no bookmark and nothing else."""
    return state in ({}, {"bookmarks": {}})


@dataclass(slots=True)
class _Epoch:
    number: int
    unsettled: int = 0
    is_ended: bool = False
    state: State | None = None


class Acks:
    """Counts missing acknowledgements by epoch; writes the newest safe STATE.

    Safe to use from many threads. `write_state` gets states in the order of the input, one at a
    time.
    """

    def __init__(self, write_state: WriteState) -> None:
        self._write_state = write_state
        self._lock = threading.Lock()
        self._epochs = deque([_Epoch(0)])
        self._has_bookmarks = False

    @property
    def epoch(self) -> int:
        """Number of the epoch that is being read."""
        return self._epochs[-1].number

    def expect(self, count: int) -> None:
        """The current epoch waits for `count` more acknowledgements."""
        with self._lock:
            self._epochs[-1].unsettled += count

    def add_state(self, state: State | None) -> None:
        """A STATE, or None, ends the current epoch; it is written as soon as it is safe.

        One without bookmarks says nothing once there were some: the STATE before stands.
        """
        with self._lock:
            if state is not None and self._has_bookmarks and is_empty(state):
                state = None
            self._has_bookmarks |= state is not None and not is_empty(state)
            self._epochs[-1].state, self._epochs[-1].is_ended = state, True
            self._epochs.append(_Epoch(self._epochs[-1].number + 1))
            self._write_safe()

    def settle(self, epoch: int, count: int = 1) -> None:
        """Acknowledge `count` times in an epoch. Raises what `write_state` raises."""
        with self._lock:
            self._epochs[epoch - self._epochs[0].number].unsettled -= count
            self._write_safe()

    def settle_each(self, epochs: Iterable[int]) -> None:
        """Acknowledge once in each epoch, then write. Raises what `write_state` raises."""
        with self._lock:
            first = self._epochs[0].number
            for epoch in epochs:
                self._epochs[epoch - first].unsettled -= 1
            self._write_safe()

    def _write_safe(self) -> None:
        newest = None
        while (first := self._epochs[0]).is_ended and first.unsettled == 0:
            self._epochs.popleft()
            newest = first if first.state is not None else newest
        if newest is not None and newest.state is not None:
            self._write_state(newest.state, newest.number)


class WorkerAcks:
    """Acknowledgements of several workers, each of which reads every STATE as its number."""

    def __init__(self, workers: int, write_state: WriteState) -> None:
        self._acks = Acks(write_state)
        self._lock = threading.Lock()
        self._settled = [-1] * workers  # the newest STATE that each worker acknowledged

    @property
    def epoch(self) -> int:
        """Number of the epoch that is being read."""
        return self._acks.epoch

    def add_state(self, state: State, *, is_first: bool = False) -> int:
        """A STATE was read, which all workers must acknowledge; returns its number.

        One before the first record waits for nobody.
        """
        number = self._acks.epoch
        if is_first:
            with self._lock:
                self._settled = [number] * len(self._settled)
        else:
            self._acks.expect(len(self._settled))
        self._acks.add_state(state)
        return number

    def add_barrier(self) -> int:
        """End the epoch without a STATE; returns its number, which all workers must acknowledge."""
        number = self._acks.epoch
        self._acks.expect(len(self._settled))
        self._acks.add_state(None)
        return number

    def has_settled(self, number: int) -> bool:
        """Whether all workers have settled everything before a STATE or barrier."""
        with self._lock:
            return min(self._settled) >= number

    def settle(self, worker: int, number: int) -> None:
        """A worker has settled everything before a STATE. Raises what `write_state` raises."""
        with self._lock:
            newly_settled = range(self._settled[worker] + 1, number + 1)
            self._settled[worker] = max(self._settled[worker], number)
        self._acks.settle_each(newly_settled)
