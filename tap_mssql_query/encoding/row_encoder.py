"""Converts rows to the values of Singer RECORDs, record by record. Pure.

A block is an Arrow record batch from either reader. Values follow the contract: decimals with their
exact digits, instants in UTC with Z, base64 for binary, parsed JSON for JSON columns, null for
NULL, NaN and infinities. `batch_encoder.py` produces the same bytes a block at a time.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from program_kit.json_limits import is_too_deep
from tap_mssql_query.encoding.columns import Column, ColumnKind
from tap_mssql_query.encoding.singer_json import INVALID_JSON, parse_json
from tap_mssql_query.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


_FIRST = pa.scalar(datetime(1, 1, 1), pa.timestamp("us"))  # noqa: DTZ001 - UTC, as Arrow has it
_LAST = pa.scalar(datetime(9999, 12, 31, 23, 59, 59, 999999), pa.timestamp("us"))  # noqa: DTZ001


@dataclass(slots=True)
class LossyConversions:
    """Counts the values of a result set that could not be sent unchanged.

    Attributes:
        invalid_json: values of JSON columns that are not JSON and are sent as text.
        replaced_characters: texts with U+FFFD, by which drivers replace invalid characters, such
            as half an emoji.
        clamped_times: date-times that are before the year 1 or after 9999 in UTC.
    """

    invalid_json: int = 0
    replaced_characters: int = 0
    clamped_times: int = 0

    def count_replaced_characters(self, texts: pa.Array) -> None:
        """Count the texts with U+FFFD."""
        self.replaced_characters += pc.sum(pc.match_substring(texts, "\ufffd")).as_py() or 0

    def json_or_text(self, text: str | None) -> Any:
        """The value of a JSON column's text; None if it is blank.

        What is not JSON, or nested deeper than `MAX_DEPTH`, stays text.
        """
        if text is None or not text.strip():
            return None
        try:
            if not is_too_deep(text):
                return parse_json(text)
        except INVALID_JSON:
            pass
        self.invalid_json += 1
        return text


def to_utc(array: pa.Array, timezone: str, conversions: LossyConversions) -> pa.Array:
    """Date-times in UTC, without a zone; those without an offset are local times in `timezone`.

    An ambiguous local time is the earlier one; a nonexistent one becomes the next that exists. One
    that is in the year 0 or 10000 in UTC becomes the first or last of the calendar.
    Raises ConfigurationError if Arrow does not know the zone.
    """
    if array.type.tz is None and timezone != "UTC":
        try:
            array = pc.assume_timezone(
                array, timezone=timezone, ambiguous="earliest", nonexistent="latest"
            )
        except pa.ArrowInvalid as error:
            raise ConfigurationError(
                f"`timezone` {timezone} is not known to this machine's time zone database. Use the "
                "name of a region, such as Europe/Amsterdam."
            ) from error
    utc = array.cast(pa.timestamp("us", tz="UTC")).cast(pa.timestamp("us"))
    extremes = pc.min_max(utc)
    if _is_outside(extremes["min"]) or _is_outside(extremes["max"]):
        clamped = pc.max_element_wise(
            pc.min_element_wise(utc, _LAST, skip_nulls=False), _FIRST, skip_nulls=False
        )
        conversions.clamped_times += pc.sum(pc.not_equal(clamped, utc)).as_py() or 0
        return clamped
    return utc


def _is_outside(value: pa.Scalar) -> bool:
    return value.is_valid and not _FIRST.value <= value.value <= _LAST.value


def shortest_floats(array: pa.Array) -> pa.Array:
    """Floats; a `real` becomes the one with the shortest digits: 0.1, not 0.10000000149011612."""
    return array.cast(pa.string()).cast(pa.float64()) if pa.types.is_float32(array.type) else array


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
            array = to_utc(array, timezone, conversions)
        case ColumnKind.FLOAT:
            array = shortest_floats(array)
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
