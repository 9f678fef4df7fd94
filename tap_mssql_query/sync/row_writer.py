"""Writes the rows of a sync, block by block, and says of the values that could not stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from program_kit.progress import Progress
from tap_mssql_query.encoding.row_encoder import Changes
from tap_mssql_query.sync.record_encoder import block_encoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from tap_mssql_query.encoding.columns import Column
    from tap_mssql_query.stream import QueryStream


def write_rows(
    stream: QueryStream,
    blocks: Iterator[pa.RecordBatch],
    columns: Sequence[Column],
    note_block: Callable[[pa.RecordBatch], None],
) -> tuple[int, bool]:
    """Write RECORD lines; returns how many rows, and whether those are all.

    `note_block` is told of each block that has been written. Fewer than all are written only if the
    stream has a record limit of the SDK.
    """
    changes = Changes()
    encode = block_encoder(stream, columns, changes)
    limit = stream.ABORT_AT_RECORD_COUNT
    rows, is_complete = 0, True
    progress = Progress(stream.name, stream.logger)
    for block in blocks:
        wanted = block if limit is None else block.slice(0, limit - rows)
        stream.has_written_rows = True
        for lines in encode(wanted):
            stream.write_lines(lines)
        rows += wanted.num_rows
        progress.show(rows)
        note_block(wanted)
        if wanted.num_rows < block.num_rows:
            is_complete = False
            break
    _say_what_was_changed(stream, changes)
    return rows, is_complete


def _say_what_was_changed(stream: QueryStream, changes: Changes) -> None:
    for count, what in (
        (changes.not_json, "values of json_columns are no JSON and were sent as text"),
        (changes.replaced, "texts hold U+FFFD in place of what is no character"),
    ):
        if count:
            stream.logger.warning("sync=%s: %d %s", stream.name, count, what)
