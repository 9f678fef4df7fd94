"""Encodes rows record by record, through the SDK's selection, stream maps and flattening.

Rows that none of these change are encoded a batch at a time by `batch_encoder.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from singer_sdk.helpers._catalog import pop_deselected_record_properties

from tap_mssql_query.encoding.row_encoder import LossyConversions, records_of
from tap_mssql_query.encoding.singer_json import dump_record
from tap_mssql_query.mapping import map_record
from tap_mssql_query.mssql.batch_size import slices_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from singer_sdk.mapper import StreamMap
    from singer_sdk.singerlib import SelectionMask

    from tap_mssql_query.encoding.columns import Column


@dataclass(frozen=True, slots=True)
class RecordEncoder:
    """Encodes the rows of one result set. Output has the bytes of `BatchEncoder`."""

    columns: Sequence[Column]
    timezone: str
    conversions: LossyConversions
    schema: dict[str, Any]
    mask: SelectionMask
    stream_maps: Sequence[StreamMap]

    def encode(self, block: pa.RecordBatch) -> Iterator[bytes]:
        """RECORD lines of all rows of the block, in pieces of whole lines."""
        for piece in slices_of(block, 0):
            records = records_of(piece, self.columns, self.timezone, self.conversions)
            yield b"".join(line for record in records for line in self._lines_of(record))

    def _lines_of(self, record: dict[str, Any]) -> Iterator[bytes]:
        pop_deselected_record_properties(record, self.schema, self.mask)
        for stream_map in self.stream_maps:
            mapped = map_record(stream_map, record)
            if mapped is not None:
                yield dump_record(stream_map.stream_alias, mapped)
