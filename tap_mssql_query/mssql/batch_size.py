"""How many rows are read at once, and how many encoded: many, for speed; few, if they are large."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

FIRST_BLOCK_ROWS = 1024
"""Read before anything is known of the rows' size."""
_BLOCK_ROWS, _BLOCK_BYTES = 16384, 8 * 1024 * 1024
_SLICE_ROWS, _SLICE_BYTES = 4096, 8 * 1024 * 1024


def next_block_rows(block: pa.RecordBatch) -> int:
    """How many rows to read next, if they are like those of the block."""
    return _fitting(_BLOCK_ROWS, _BLOCK_BYTES, _row_bytes(block))


def slices_of(block: pa.RecordBatch, names_bytes: int) -> Iterator[pa.RecordBatch]:
    """The block in pieces of bounded size, a value that is larger alone; none if it is empty.

    `names_bytes` is how much the names of a row's columns take where it is written.
    """
    rows = _fitting(_SLICE_ROWS, _SLICE_BYTES, _row_bytes(block) + names_bytes)
    return (block.slice(first, rows) for first in range(0, block.num_rows, rows))


def _row_bytes(block: pa.RecordBatch) -> int:
    return int(block.nbytes // max(block.num_rows, 1))


def _fitting(most: int, limit_bytes: int, row_bytes: int) -> int:
    """A power of two, so that blocks divide into slices of one length."""
    rows = max(min(most, limit_bytes // max(row_bytes, 1)), 1)
    return 1 << (rows.bit_length() - 1)
