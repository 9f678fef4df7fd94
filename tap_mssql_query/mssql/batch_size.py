"""The number of rows to fetch and to encode at once: many for speed, few if they are large."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    import pyarrow as pa

_FIRST_BLOCK_ROWS = 1024
_DECLARED_BYTES = 128 * 1024 * 1024
"""The most that a block may have if all its values are as long as their columns allow, which
earlier rows cannot rule out."""
_LONG_BYTES = 1024 * 1024
"""What a row counts that has values of no stated length: (max), text, xml."""
_LONGEST_BOUNDED = 8000
_BYTES_PER_CHARACTER = 2
_BLOCK_ROWS, _BLOCK_BYTES = 16384, 8 * 1024 * 1024
_SLICE_ROWS, _SLICE_BYTES = 4096, 8 * 1024 * 1024


class BlockRows:
    """How many rows to fetch at once, from a cursor's `description` (PEP 249) and earlier rows.

    Attributes:
        first: rows of the first block, before the size of a row is known.
    """

    def __init__(self, description: Sequence[Sequence[Any]]) -> None:
        self._most = _fitting(_BLOCK_ROWS, _DECLARED_BYTES, _declared_bytes(description))
        self.first = min(_FIRST_BLOCK_ROWS, max(self._most // 8, 1))

    def after(self, block: pa.RecordBatch) -> int:
        """Rows of the next block, judged by the average row of this one."""
        return _fitting(self._most, _BLOCK_BYTES, _row_bytes(block))


def _declared_bytes(description: Sequence[Sequence[Any]]) -> int:
    """The size of a row whose values are as long as possible."""
    lengths = [size or 0 for _, kind, _, size, *_ in description if kind in (str, bytes, bytearray)]
    bounded = sum(length for length in lengths if length <= _LONGEST_BOUNDED)
    is_long = any(not 0 < length <= _LONGEST_BOUNDED for length in lengths)
    return bounded * _BYTES_PER_CHARACTER + is_long * _LONG_BYTES


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
