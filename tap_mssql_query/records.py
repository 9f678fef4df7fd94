"""Rows → values of Singer RECORDs, record by record; messages → lines. Pure.

A block is an Arrow record batch, from either reader. Values follow the contract: exact decimals
with their own digits, instants in UTC with Z, base64 for binary, parsed JSON for JSON columns,
null for NULL, NaN and infinities. `block_encoder.py` writes the same bytes a block at a time.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from tap_mssql_query.column_types import Column, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_MAX_PRECISION = 38
_MAX_INTEGER_BITS = 63
_WIDE_INTEGER = re.compile(r"\d{19}")
_INVALID_JSON = (msgspec.MsgspecError, UnicodeError, RecursionError)
_decode = msgspec.json.Decoder(float_hook=Decimal).decode
VALUE_OPTIONS = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
"""How orjson writes a value of any kind."""


def _digits(value: Any) -> orjson.Fragment:
    """A decimal as a JSON number with its own digits; an exponent only where JSON had one."""
    if not isinstance(value, Decimal):
        raise TypeError(type(value).__name__)
    _, _, exponent = value.as_tuple()
    is_plain = isinstance(exponent, int) and abs(exponent) <= _MAX_PRECISION
    return orjson.Fragment(format(value, "f") if is_plain else str(value))


def _parse_json(text: str) -> Any:
    """JSON whose numbers keep their digits. Raises what `_INVALID_JSON` lists."""
    value = _decode(text)
    return _with_wide_integers(value) if _WIDE_INTEGER.search(text) else value


def _with_wide_integers(value: Any) -> Any:
    """Integers of more than 64 bits as decimals, which can be written whole."""
    if isinstance(value, list):
        return [_with_wide_integers(item) for item in value]
    if isinstance(value, dict):
        return {key: _with_wide_integers(item) for key, item in value.items()}
    is_wide = isinstance(value, int) and value.bit_length() > _MAX_INTEGER_BITS
    return Decimal(value) if is_wide else value


def dump_message(message: Mapping[str, Any]) -> bytes:
    """One Singer message as one line."""
    return orjson.dumps(message, default=_digits, option=VALUE_OPTIONS | orjson.OPT_APPEND_NEWLINE)


def dump_value(value: Any) -> bytes:
    """One value as JSON."""
    return orjson.dumps(value, default=_digits, option=VALUE_OPTIONS)


def dump_record(stream: str, record: Mapping[str, Any]) -> bytes:
    """One RECORD message as one line."""
    return dump_message({"type": "RECORD", "stream": stream, "record": record})


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
            return _parse_json(text)
        except _INVALID_JSON:
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
