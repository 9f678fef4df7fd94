"""Blocks are read in a thread, a bounded number ahead."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tap_mssql_query.mssql.prefetch import prefetch

if TYPE_CHECKING:
    from collections.abc import Iterator


def _block(number: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"n": [number]})


def test_all_blocks_arrive_in_order() -> None:
    """Nothing is lost or reordered between the threads."""
    blocks = prefetch(map(_block, range(50)))
    assert [b["n"][0].as_py() for b in blocks] == list(range(50))


def test_error_after_blocks_reaches_the_consumer() -> None:
    """An error in the reader arrives after the blocks that came before it."""

    def failing() -> Iterator[pa.RecordBatch]:
        yield _block(1)
        raise ValueError("broken off")

    blocks = prefetch(failing())
    assert next(blocks)["n"][0].as_py() == 1
    with pytest.raises(ValueError, match="broken off"):
        next(blocks)


def test_only_a_few_blocks_are_read_ahead() -> None:
    """A slow consumer holds the reader back, so memory stays bounded."""
    taken: list[int] = []
    full = threading.Event()

    def counting() -> Iterator[pa.RecordBatch]:
        for number in range(1000):
            taken.append(number)
            if number == 3:
                full.set()
            yield _block(number)

    blocks = prefetch(counting())
    next(blocks)
    assert full.wait(5)
    assert len(taken) <= 5
    blocks.close()


def test_nothing_is_read_ahead_of_a_large_block() -> None:
    """Until it was taken and used, so that few of them are in memory."""
    taken: list[int] = []

    def large() -> Iterator[pa.RecordBatch]:
        for number in range(10):
            taken.append(number)
            yield pa.RecordBatch.from_pydict({"n": ["x" * 17_000_000]})

    blocks = prefetch(large())
    for number in range(10):
        next(blocks)
        threading.Event().wait(0.02)
        assert len(taken) == number + 1
    assert not [*blocks]


def test_closing_ends_a_reader_that_waits_after_a_large_block() -> None:
    """No thread is left behind."""
    before = threading.active_count()
    large = pa.RecordBatch.from_pydict({"n": ["x" * 17_000_000]})
    blocks = prefetch(iter([large] * 10))
    next(blocks)
    blocks.close()
    assert threading.active_count() == before


def test_closing_early_ends_the_reader() -> None:
    """When the consumer stops, the thread stops reading."""
    taken: list[int] = []

    def counting() -> Iterator[pa.RecordBatch]:
        for number in range(1000):
            taken.append(number)
            yield _block(number)

    blocks = prefetch(counting())
    next(blocks)
    blocks.close()
    assert len(taken) <= 6


def test_closing_does_not_wait_for_a_reader_that_hangs() -> None:
    """A driver that hangs does not block the consumer."""
    released = threading.Event()

    def stuck() -> Iterator[pa.RecordBatch]:
        yield _block(1)
        released.wait(30)

    blocks = prefetch(stuck())
    next(blocks)
    blocks.close()
    assert not released.is_set()
    released.set()
