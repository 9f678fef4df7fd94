"""Calls that wait for long do not keep the blocks of input that they came in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_pipelines.api.calls import EncodedCall, Limits
from target_pipelines.delivery import held_input
from target_pipelines.delivery.held_input import HeldInput, detach_all
from target_pipelines.delivery.lane import Lane

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMITS = Limits(call_max_bytes=1000, batch_max_bytes=10**6, batch_max_calls=10)
BLOCK_BYTES = 1024 * 1024


def _calls(count: int, lines: int) -> Iterator[EncodedCall]:
    """Calls of different blocks, each with so many lines."""
    for number in range(count):
        text = b"%d" % number * (BLOCK_BYTES // lines // len(str(number)))
        block = (text + b"\n") * lines
        yield EncodedCall(b"{}", "s", "identify", str(number), 0, block, lines - 1)


def _held_bytes(lane: Lane) -> int:
    return sum(map(len, {id(call.block): call.block for call in lane.calls()}.values()))


def test_waiting_calls_keep_their_lines_only() -> None:
    """200 MB of input come by; what one slow person's calls hold stays below the period."""
    lane = Lane(LIMITS)
    held = HeldInput([lane])
    lines = []
    for call in _calls(200, lines=1000):
        lines.append(call.line)
        lane.add([call])
        held.add([call])
        assert held.is_bounded()
        assert _held_bytes(lane) <= 17 * BLOCK_BYTES

    assert [call.line for call in lane.calls()] == lines


def test_dense_blocks_are_left_alone() -> None:
    """No time is lost on blocks whose calls all wait."""
    lane = Lane(LIMITS)
    held = HeldInput([lane])
    block = (b"x" * 99 + b"\n") * 1000
    calls = [
        EncodedCall(b"y" * 90, "s", "identify", "k", 0, block, number) for number in range(1000)
    ]
    for _ in range(200):
        lane.add(calls)
        held.add(calls)
        assert held.is_bounded()

    assert all(len(call.block) == 100_000 for call in lane.calls())


def test_reading_waits_if_the_lines_themselves_are_too_large(monkeypatch) -> None:
    """Small calls of large rows; it goes on when they are sent."""
    monkeypatch.setattr(held_input, "MAX_BYTES", 20 * BLOCK_BYTES)
    lane = Lane(LIMITS)
    held = HeldInput([lane])
    bounded = []
    for call in _calls(32, lines=1):
        lane.add([call])
        held.add([call])
        bounded.append(held.is_bounded())
    assert bounded == [True] * 31 + [False]

    lane.take_batch()
    assert not held.is_bounded()  # ten are in flight, and 22 wait
    lane.take_batch()
    lane.take_batch()
    assert held.is_bounded()


def test_calls_that_are_retried_keep_their_lines_only() -> None:
    """Their batch may wait for minutes."""
    calls = list(_calls(10, lines=100))
    lines = [call.line for call in calls]

    detach_all(calls)

    assert [call.block for call in calls] == lines
    assert [call.line for call in calls] == lines
