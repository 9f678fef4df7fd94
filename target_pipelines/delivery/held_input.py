"""Bounds the memory of the input that queued calls refer to, for their dead letters.

A call refers to the block of lines that its RECORD came in. A few calls that wait long would keep
many blocks: they get lines of their own.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from target_pipelines.api.calls import lines_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from target_pipelines.api.calls import EncodedCall
    from target_pipelines.delivery.lane import Lane

MAX_BYTES = 64 * 1024 * 1024
"""The most that the queued calls of a destination hold before reading waits."""
_LOOK_BYTES = 16 * 1024 * 1024
_SPARSE = 4
"""A block is given up if it is so many times larger than its calls that still wait."""


class HeldInput:
    """The input that the calls in some lanes hold; used by the thread that fills the lanes."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._lanes = lanes
        self._unlooked_bytes = 0

    def add(self, calls: Sequence[EncodedCall]) -> None:
        """Note calls that are queued."""
        block = None
        for call in calls:
            if call.block is not block:
                block = call.block
                self._unlooked_bytes += len(block)

    def is_bounded(self) -> bool:
        """Whether more calls may be queued; if not, ask again later."""
        if self._unlooked_bytes < _LOOK_BYTES:
            return True
        held_bytes = self._reduce()
        if held_bytes > MAX_BYTES:
            return False
        self._unlooked_bytes = 0
        return True

    def _reduce(self) -> int:
        """Detach the calls of sparse blocks; returns the bytes that all calls hold then."""
        blocks = self._blocks()
        used: defaultdict[int, int] = defaultdict(int)
        for lane in self._lanes:
            for call in lane.calls():
                used[id(call.block)] += len(call.body)
        sparse = {
            number: lines_of(block)
            for number, block in blocks.items()
            if number in used and used[number] * _SPARSE < len(block)
        }
        for lane in self._lanes:
            lane.change_waiting(lambda call: detach(call, sparse.get(id(call.block))))
        return sum(map(len, self._blocks().values()))

    def _blocks(self) -> dict[int, bytes]:
        return {id(call.block): call.block for lane in self._lanes for call in lane.calls()}


def detach_all(calls: Iterable[EncodedCall]) -> None:
    """Let each call refer to its own line alone; for calls that no other thread uses."""
    lines: dict[int, list[bytes]] = {}
    blocks = []  # keeps the ids valid
    for call in calls:
        if id(call.block) not in lines:
            blocks.append(call.block)
            lines[id(call.block)] = lines_of(call.block)
        detach(call, lines[id(call.block)])


def detach(call: EncodedCall, lines: Sequence[bytes] | None) -> None:
    """Let a call refer to its own line alone, given the lines of its block."""
    if lines and len(lines) > 1:
        call.block, call.number = lines[call.number], 0
