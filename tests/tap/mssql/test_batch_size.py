"""Blocks have many rows if these are small, and few if they are large."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tap_mssql_query.mssql.batch_size import next_block_rows, slices_of


def _block(rows: int, value: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"v": pa.array([value] * rows, pa.large_string())})


@pytest.mark.parametrize(
    ("length", "rows"),
    [(0, 16384), (500, 16384), (1000, 8192), (100_000, 64), (100_000_000, 1)],
)
def test_next_block_has_a_bounded_size(length: int, rows: int) -> None:
    """Up to 8 MB are fetched at once, judged by earlier rows; at least one row."""
    assert next_block_rows(_block(1 if length > 10**6 else 16, "x" * length)) == rows


def test_slice_has_its_own_size() -> None:
    """The size of a slice is that of its rows, not of the block it is part of."""
    block = pa.RecordBatch.from_pydict({"v": ["x" * 10**6] * 8 + ["x"] * 8})
    assert next_block_rows(block.slice(8)) == 16384


@pytest.mark.parametrize("rows", [0, 1, 4096, 4097, 20_000])
def test_slices_are_the_whole_block(rows: int) -> None:
    """No row is lost between slices, and none is empty."""
    block = _block(rows, "x")
    slices = list(slices_of(block, 10))
    assert sum(piece.num_rows for piece in slices) == rows
    assert all(1 <= piece.num_rows <= 4096 for piece in slices)
