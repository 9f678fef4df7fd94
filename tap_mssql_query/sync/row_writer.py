"""Writes the rows of a result set batch by batch, and warns of values that were altered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_mssql_query.encoding.row_encoder import LossyConversions

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pyarrow as pa

    from program_kit.progress import Progress
    from tap_mssql_query.encoding.columns import Column
    from tap_mssql_query.sync.context import Lines, MessageFormat
    from tap_mssql_query.sync.read_strategy import ReadStrategy


@dataclass(slots=True)
class RowWriter:
    """Writes RECORD lines.

    Attributes:
        sync: its name.
        format: makes the lines.
        write_lines: writes them to stdout.
        progress: shows how many rows have been written.
        count_rows: counts rows that were read, also those of a block that cannot be written.
        limit: the most rows to write; None: all.
        logger: gets a warning for values that could not be kept.
    """

    sync: str
    format: MessageFormat
    write_lines: Callable[[Lines], None]
    progress: Progress
    count_rows: Callable[[int], None]
    limit: int | None
    logger: logging.Logger

    def write(
        self,
        blocks: Iterator[pa.RecordBatch],
        columns: Sequence[Column],
        strategy: ReadStrategy,
    ) -> int:
        """Write all rows, up to the limit; returns how many there were.

        The strategy is asked before, and told after, each block is written.
        """
        conversions = LossyConversions()
        encode = self.format.record_encoder(columns, conversions)
        rows = 0
        for block in blocks:
            wanted = block if self.limit is None else block.slice(0, self.limit - rows)
            strategy.check_block(wanted)
            self.count_rows(wanted.num_rows)
            self._write_lines(encode(wanted))
            rows += wanted.num_rows
            self.progress.show(rows)
            strategy.on_block_written(wanted)
            if wanted.num_rows < block.num_rows:
                break
        self._warn_of_loss(conversions)
        return rows

    def _write_lines(self, pieces: Iterable[Lines]) -> None:
        for lines in pieces:
            self.write_lines(lines)

    def _warn_of_loss(self, conversions: LossyConversions) -> None:
        for count, what in (
            (conversions.invalid_json, "values of json_columns are not JSON and were sent as text"),
            (
                conversions.replaced_characters,
                "texts contain U+FFFD instead of an invalid character",
            ),
            (
                conversions.clamped_times,
                "date-times are outside the years 1 to 9999 in UTC; the nearest within was sent",
            ),
        ):
            if count:
                self.logger.warning("sync=%s: %d %s", self.sync, count, what)
