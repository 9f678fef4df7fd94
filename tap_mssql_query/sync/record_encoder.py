"""Rows through the SDK's selection, stream maps and flattening, where the user asks for these.

Without them rows go out block by block; with them, record by record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.helpers._catalog import pop_deselected_record_properties
from singer_sdk.mapper import SameRecordTransform

from tap_mssql_query.encoding.batch_encoder import BlockEncoder
from tap_mssql_query.encoding.row_encoder import Changes, records_of
from tap_mssql_query.encoding.singer_json import dump_record
from tap_mssql_query.mssql.batch_size import slices_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pyarrow as pa

    from tap_mssql_query.encoding.columns import Column
    from tap_mssql_query.stream import QueryStream


def block_encoder(
    stream: QueryStream, columns: Sequence[Column], changes: Changes
) -> Callable[[pa.RecordBatch], Iterable[bytes | pa.Buffer]]:
    """What makes RECORD lines of a stream's blocks: both ways give the same bytes."""
    timezone = stream.sync_settings.timezone
    if _is_plain(stream):
        return BlockEncoder(stream.name, columns, timezone, changes).encode
    return lambda block: (
        b"".join(
            line
            for record in records_of(piece, columns, timezone, changes)
            for line in _lines_of(stream, record)
        )
        for piece in slices_of(block, 0)
    )


def _is_plain(stream: QueryStream) -> bool:
    """True if every row goes out whole, as it is: no stream maps, flattening or selection."""
    maps = stream.stream_maps
    if len(maps) != 1 or type(maps[0]) is not SameRecordTransform:
        return False
    if stream.config.get("flattening_enabled"):
        return False
    return not stream.has_catalog or all(stream.mask.values())


def _lines_of(stream: QueryStream, record: dict[str, Any]) -> Iterator[bytes]:
    pop_deselected_record_properties(record, stream.schema, stream.mask)
    for stream_map in stream.stream_maps:
        mapped = stream_map.transform(record)
        if mapped is not None:
            yield dump_record(stream_map.stream_alias, mapped)
