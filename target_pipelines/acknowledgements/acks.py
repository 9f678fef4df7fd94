"""Acknowledgements: which STATE may be printed, because all records before it are settled.

The input between two STATEs is an epoch. Each epoch counts its records that are not settled yet;
a STATE is safe when its own epoch and all earlier ones are at zero.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

State = dict[str, Any]


@dataclass(slots=True)
class _Epoch:
    number: int
    unsettled: int = 0
    state: State | None = None  # None while the epoch is still being read


class Acks:
    """Counts records and settles them; hands out the newest safe STATE.

    Safe to use from many threads. `write_state` is called with states in the order of the input,
    never two at once.
    """

    def __init__(self, write_state: Callable[[State], None]) -> None:
        self._write_state = write_state
        self._lock = threading.Lock()
        self._epochs = deque([_Epoch(0)])

    @property
    def epoch(self) -> int:
        """Number of the epoch that is being read."""
        return self._epochs[-1].number

    def add_records(self, count: int) -> None:
        """So many records of the current epoch have been read."""
        with self._lock:
            self._epochs[-1].unsettled += count

    def add_state(self, state: State) -> None:
        """A STATE ends the current epoch; it is written as soon as it is safe."""
        with self._lock:
            self._epochs[-1].state = state
            self._epochs.append(_Epoch(self._epochs[-1].number + 1))
            self._write_safe()

    def settle(self, epoch: int, count: int = 1) -> None:
        """So many records of an epoch are settled. Raises what `write_state` raises."""
        with self._lock:
            self._epochs[epoch - self._epochs[0].number].unsettled -= count
            self._write_safe()

    def _write_safe(self) -> None:
        newest = None
        while (first := self._epochs[0]).state is not None and first.unsettled == 0:
            newest = first.state
            self._epochs.popleft()
        if newest is not None:
            self._write_state(newest)
