"""The number of rows to fetch and to encode at once: many for speed, few if they are large."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

FIRST_BLOCK_ROWS = 1024
"""The first block, read before the size of a row is known."""
_BLOCK_ROWS, _BLOCK_BYTES = 16384, 8 * 1024 * 1024
_SLICE_ROWS, _SLICE_BYTES = 4096, 8 * 1024 * 1024


def next_block_rows(block: pa.RecordBatch) -> int:
    """How many rows to fetch next, judged by the average row of this block."""
    return _fitting(_BLOCK_ROWS, _BLOCK_BYTES, _row_bytes(block))


def slices_of(block: pa.RecordBatch, names_bytes: int) -> Iterator[pa.RecordBatch]:
    """The block in slices of bounded size; a row that is larger is a slice of its own.

    `names_bytes` is the size of the column names in an encoded row.
    """
    rows = _fitting(_SLICE_ROWS, _SLICE_BYTES, _row_bytes(block) + names_bytes)
    return (block.slice(first, rows) for first in range(0, block.num_rows, rows))


def _row_bytes(block: pa.RecordBatch) -> int:
    return int(block.nbytes // max(block.num_rows, 1))


def _fitting(most: int, limit_bytes: int, row_bytes: int) -> int:
    """A power of two, so that blocks divide into slices of equal length."""
    rows = max(min(most, limit_bytes // max(row_bytes, 1)), 1)
    return 1 << (rows.bit_length() - 1)
