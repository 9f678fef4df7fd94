"""Converts rows to the values of Singer RECORDs, record by record. Pure.

A block is an Arrow record batch from either reader. Values follow the contract: decimals with their
exact digits, instants in UTC with Z, base64 for binary, parsed JSON for JSON columns, null for
NULL, NaN and infinities. `batch_encoder.py` produces the same bytes a block at a time.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from tap_mssql_query.encoding.columns import Column, ColumnKind
from tap_mssql_query.encoding.singer_json import INVALID_JSON, dump_value, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


_MAY_BE_DEEP = 200
"""Texts with more opening brackets may be deeper than the 254 levels that orjson writes."""


@dataclass(slots=True)
class LossyConversions:
    """Counts the values of a result set that could not be sent unchanged.

    Attributes:
        invalid_json: values of JSON columns that are not JSON and are sent as text.
        replaced_characters: texts with U+FFFD, by which drivers replace invalid characters, such
            as half an emoji.
    """

    invalid_json: int = 0
    replaced_characters: int = 0

    def count_replaced_characters(self, texts: pa.Array) -> None:
        """Count the texts with U+FFFD."""
        self.replaced_characters += pc.sum(pc.match_substring(texts, "\ufffd")).as_py() or 0

    def json_or_text(self, text: str | None) -> Any:
        """The value of a JSON column's text; None if it is blank.

        What is not JSON, or nested too deeply to be written in a RECORD, stays text.
        """
        if text is None or not text.strip():
            return None
        try:
            value = parse_json(text)
            if text.count("[") + text.count("{") > _MAY_BE_DEEP:
                dump_value([[[value]]])
        except (*INVALID_JSON, TypeError):
            self.invalid_json += 1
            return text
        return value


def to_utc(array: pa.Array, timezone: str) -> pa.Array:
    """Date-times in UTC, without a zone; those without an offset are local times in `timezone`.

    An ambiguous local time is the earlier one; a nonexistent one becomes the next that exists.
    """
    if array.type.tz is None and timezone != "UTC":
        array = pc.assume_timezone(
            array, timezone=timezone, ambiguous="earliest", nonexistent="latest"
        )
    return array.cast(pa.timestamp("us", tz="UTC")).cast(pa.timestamp("us"))


def records_of(
    block: pa.RecordBatch, columns: Sequence[Column], timezone: str, conversions: LossyConversions
) -> Iterator[dict[str, Any]]:
    """Each row as a mapping of column names to values that `dump_record` can encode.

    `timezone` is the IANA name for date-times without an offset; `conversions` is updated.
    """
    names = [column.name for column in columns]
    lists = [
        _values(array, column.kind, timezone, conversions)
        for column, array in zip(columns, block.columns, strict=True)
    ]
    return (dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True))


def _values(
    array: pa.Array, kind: ColumnKind, timezone: str, conversions: LossyConversions
) -> list[Any]:
    match kind:
        case ColumnKind.INSTANT:
            array = to_utc(array, timezone)
        case ColumnKind.TIME:
            return _to_times(array)
        case ColumnKind.BINARY:
            return _to_base64(array)
        case ColumnKind.TEXT:
            conversions.count_replaced_characters(array)
        case ColumnKind.JSON:
            return [conversions.json_or_text(value) for value in array.to_pylist()]
    return list(array.to_pylist())


def _to_base64(array: pa.Array) -> list[str | None]:
    return [
        None if value is None else base64.b64encode(value).decode() for value in array.to_pylist()
    ]


def _to_times(array: pa.Array) -> list[str | None]:
    """Times as text: orjson 3.13 writes `00:00:00.010000` as a tenth of a second."""
    times = array.cast(pa.time64("us"), safe=False).to_pylist()
    return [value if value is None else value.isoformat() for value in times]
