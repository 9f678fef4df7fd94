"""Encodes blocks of rows as RECORD lines, column by column in native code. Pure.

Each column becomes JSON texts (`column_text.py`); then one `take` over the block interleaves them
with the column names, line by line.
"""

from __future__ import annotations

from array import array as machine_array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from tap_mssql_query.encoding.column_text import TEXT, ColumnText, column_text, text_bytes
from tap_mssql_query.mssql.batch_size import slices_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_mssql_query.encoding.columns import Column
    from tap_mssql_query.encoding.row_encoder import LossyConversions


@dataclass(slots=True)
class BatchEncoder:
    """Encodes the blocks of one result set; arguments and values as for `records_of`."""

    stream: str
    columns: Sequence[Column]
    timezone: str
    conversions: LossyConversions
    _literals_of: dict[tuple[tuple[str, str], ...], pa.LargeStringArray] = field(
        default_factory=dict, init=False, repr=False
    )
    _order: pa.Array = field(default_factory=lambda: pa.array([], pa.int64()), init=False)

    def encode(self, block: pa.RecordBatch) -> Iterator[pa.Buffer]:
        """RECORD lines of all rows of the block, in buffers of whole lines."""
        names_bytes = sum(len(column.name) + len('"":"",') for column in self.columns)
        return map(self._encode, slices_of(block, names_bytes))

    def _encode(self, block: pa.RecordBatch) -> pa.Buffer:
        columns = [
            column_text(array, column.kind, self.timezone, self.conversions).with_nulls_written()
            for column, array in zip(self.columns, block.columns, strict=True)
        ]
        literals = self._literals(columns)
        pieces = pa.concat_arrays([literals, *(column.texts for column in columns)])
        return text_bytes(pc.take(pieces, self._order_of(block.num_rows), boundscheck=False))

    def _literals(self, columns: Sequence[ColumnText]) -> pa.LargeStringArray:
        """The text before, between and after the columns' texts."""
        quotes = tuple((column.opening, column.closing) for column in columns)
        if quotes not in self._literals_of:
            literals = []
            before = f'{{"type":"RECORD","stream":{_dump(self.stream)},"record":{{'
            for column, (opening, closing) in zip(self.columns, quotes, strict=True):
                literals.append(f"{before}{_dump(column.name)}:{opening}")
                before = f"{closing},"
            literals.append(f"{before[:-1]}}}}}\n")
            self._literals_of[quotes] = pa.array(literals, TEXT)
        return self._literals_of[quotes]

    def _order_of(self, rows: int) -> pa.Array:
        """The index of each piece of each line in the array `literals, column, column, …`."""
        columns = len(self.columns)
        line = 2 * columns + 1
        if len(self._order) != rows * line:
            order = machine_array("q", bytes(8 * rows * line))
            for place in range(columns + 1):
                order[2 * place :: line] = machine_array("q", [place]) * rows
            for place in range(columns):
                first = columns + 1 + place * rows
                order[2 * place + 1 :: line] = machine_array("q", range(first, first + rows))
            self._order = pa.Array.from_buffers(pa.int64(), len(order), [None, pa.py_buffer(order)])
        return self._order


def _dump(name: str) -> str:
    return orjson.dumps(name).decode()
