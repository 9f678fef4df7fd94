"""Rows → values of Singer RECORDs, record by record. Pure.

A block is an Arrow record batch, from either reader. Values follow the contract: exact decimals
with their own digits, instants in UTC with Z, base64 for binary, parsed JSON for JSON columns,
null for NULL, NaN and infinities. `block_encoder.py` writes the same bytes a block at a time.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from tap_mssql_query.encoding.columns import Column, Kind
from tap_mssql_query.encoding.singer_json import INVALID_JSON, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(slots=True)
class Changes:
    """How many values of a result set could not be kept as they were.

    Attributes:
        not_json: values of JSON columns that are no JSON, and are sent as text.
        replaced: texts that hold U+FFFD, by which the drivers replace what is no character, such
            as half an emoji.
    """

    not_json: int = 0
    replaced: int = 0

    def count_replaced(self, texts: pa.Array) -> None:
        """Count the texts that hold U+FFFD."""
        self.replaced += pc.sum(pc.match_substring(texts, "\ufffd")).as_py() or 0

    def json_or_text(self, text: str | None) -> Any:
        """The value of a JSON column's text; None if it is blank, the text if it is no JSON."""
        if text is None or not text.strip():
            return None
        try:
            return parse_json(text)
        except INVALID_JSON:
            self.not_json += 1
            return text


def to_utc(array: pa.Array, timezone: str) -> pa.Array:
    """Date-times in UTC, without a zone; those without an offset are local times of `timezone`.

    Of local times that occur twice, the first is meant; of those that do not exist, the next.
    """
    if array.type.tz is None and timezone != "UTC":
        array = pc.assume_timezone(
            array, timezone=timezone, ambiguous="earliest", nonexistent="latest"
        )
    return array.cast(pa.timestamp("us", tz="UTC")).cast(pa.timestamp("us"))


def records_of(
    block: pa.RecordBatch, columns: Sequence[Column], timezone: str, changes: Changes
) -> Iterator[dict[str, Any]]:
    """Each row as column name → value that `dump_record` can write.

    `timezone` is the IANA name for date-times that carry no offset; `changes` grows.
    """
    names = [column.name for column in columns]
    lists = [
        _values(array, column.kind, timezone, changes)
        for column, array in zip(columns, block.columns, strict=True)
    ]
    return (dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True))


def _values(array: pa.Array, kind: Kind, timezone: str, changes: Changes) -> list[Any]:
    match kind:
        case Kind.INSTANT:
            array = to_utc(array, timezone)
        case Kind.TIME:
            return _to_times(array)
        case Kind.BINARY:
            return _to_base64(array)
        case Kind.TEXT:
            changes.count_replaced(array)
        case Kind.JSON:
            return [changes.json_or_text(value) for value in array.to_pylist()]
    return list(array.to_pylist())


def _to_base64(array: pa.Array) -> list[str | None]:
    return [
        None if value is None else base64.b64encode(value).decode() for value in array.to_pylist()
    ]


def _to_times(array: pa.Array) -> list[str | None]:
    """As text: orjson (3.13) writes 10 ms, `00:00:00.010000`, as a tenth of a second."""
    times = array.cast(pa.time64("us"), safe=False).to_pylist()
    return [value if value is None else value.isoformat() for value in times]
