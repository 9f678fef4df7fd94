"""Blocks of rows → Singer RECORD lines. Pure.

A block is an Arrow record batch, from either reader. Values follow the contract: exact decimals
with their own digits, instants in UTC with Z, base64 for binary, parsed JSON for JSON columns,
null for NULL, NaN and infinities.
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
_OPTIONS = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE


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
    return orjson.dumps(message, default=_digits, option=_OPTIONS)


def dump_record(stream: str, record: Mapping[str, Any]) -> bytes:
    """One RECORD message as one line."""
    return dump_message({"type": "RECORD", "stream": stream, "record": record})


def _to_instants(array: pa.Array, timezone: str) -> list[Any]:
    """Naive datetimes in UTC. Local times that occur twice are read as the first of the two."""
    if array.type.tz is None and timezone != "UTC":
        array = pc.assume_timezone(
            array, timezone=timezone, ambiguous="earliest", nonexistent="latest"
        )
    utc = array.cast(pa.timestamp("us", tz="UTC")).cast(pa.timestamp("us"))
    return list(utc.to_pylist())


def _to_base64(array: pa.Array) -> list[str | None]:
    return [
        None if value is None else base64.b64encode(value).decode() for value in array.to_pylist()
    ]


def _to_times(array: pa.Array) -> list[str | None]:
    """As text: orjson (3.13) writes 10 ms, `00:00:00.010000`, as a tenth of a second."""
    times = array.cast(pa.time64("us"), safe=False).to_pylist()
    return [value if value is None else value.isoformat() for value in times]


@dataclass(slots=True)
class RowEncoder:
    """Encodes the blocks of one result set.

    `timezone` is the IANA name for date-times that carry no offset. `invalid_json_count` grows
    with each value of a JSON column that is no JSON; such a value is sent as text.
    `replaced_count` grows with each text that holds U+FFFD, by which the drivers replace what is no
    character, such as half an emoji.
    """

    stream: str
    columns: Sequence[Column]
    timezone: str = "UTC"
    invalid_json_count: int = 0
    replaced_count: int = 0

    def encode(self, block: pa.RecordBatch) -> bytes:
        """RECORD lines of all rows of the block."""
        return b"".join(dump_record(self.stream, record) for record in self.records(block))

    def records(self, block: pa.RecordBatch) -> Iterator[dict[str, Any]]:
        """Each row as column name → value that `dump_message` can write."""
        names = [column.name for column in self.columns]
        lists = [
            self._values(column, array)
            for column, array in zip(self.columns, block.columns, strict=True)
        ]
        return (dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True))

    def _values(self, column: Column, array: pa.Array) -> list[Any]:
        match column.kind:
            case Kind.INSTANT:
                return _to_instants(array, self.timezone)
            case Kind.TIME:
                return _to_times(array)
            case Kind.BINARY:
                return _to_base64(array)
            case Kind.TEXT:
                self.replaced_count += pc.sum(pc.match_substring(array, "\ufffd")).as_py() or 0
                return list(array.to_pylist())
            case Kind.JSON:
                return [self._json_or_text(value) for value in array.to_pylist()]
            case _:
                return list(array.to_pylist())

    def _json_or_text(self, text: str | None) -> Any:
        if text is None or not text.strip():
            return None
        try:
            return _parse_json(text)
        except _INVALID_JSON:
            self.invalid_json_count += 1
            return text
