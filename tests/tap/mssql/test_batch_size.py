"""Blocks have many rows if these are small, and few if they are large."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tap_mssql_query.mssql.batch_size import BlockRows, slices_of


def _block(rows: int, value: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"v": pa.array([value] * rows, pa.large_string())})


@pytest.mark.parametrize(
    ("length", "rows"),
    [(0, 16384), (500, 16384), (1000, 8192), (100_000, 64), (100_000_000, 1)],
)
def test_next_block_has_a_bounded_size(length: int, rows: int) -> None:
    """Up to 8 MB are fetched at once, judged by earlier rows; at least one row."""
    sizes = BlockRows([_described(int, 10)])
    assert sizes.after(_block(1 if length > 10**6 else 16, "x" * length)) == rows


def _described(kind: type, size: int | None) -> tuple[object, ...]:
    return "v", kind, None, size, size, 0, True


@pytest.mark.parametrize(
    ("columns", "first", "most"),
    [
        ([(int, 10)] * 12, 1024, 16384),
        ([(str, 50)] * 12, 1024, 16384),
        ([(str, 4000)] * 60, 32, 256),
        ([(str, 0)], 16, 128),
        ([(bytearray, None)], 16, 128),
        ([(str, 2_147_483_647), (str, 1_073_741_823), (int, 10)], 16, 128),
        ([(str, 0)] + [(str, 8000)] * 1000, 1, 4),
    ],
)
def test_block_is_bounded_whatever_comes_next(
    columns: list[tuple[type, int | None]], first: int, most: int
) -> None:
    """Small rows say nothing about the next: columns that may be long get few rows at once."""
    sizes = BlockRows([_described(*column) for column in columns])
    assert sizes.first == first
    assert sizes.after(_block(16, "x")) == most


def test_slice_has_its_own_size() -> None:
    """The size of a slice is that of its rows, not of the block it is part of."""
    block = pa.RecordBatch.from_pydict({"v": ["x" * 10**6] * 8 + ["x"] * 8})
    assert BlockRows([]).after(block.slice(8)) == 16384


@pytest.mark.parametrize("rows", [0, 1, 4096, 4097, 20_000])
def test_slices_are_the_whole_block(rows: int) -> None:
    """No row is lost between slices, and none is empty."""
    block = _block(rows, "x")
    slices = list(slices_of(block, 10))
    assert sum(piece.num_rows for piece in slices) == rows
    assert all(1 <= piece.num_rows <= 4096 for piece in slices)
