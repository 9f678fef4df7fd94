"""Encodes columns as JSON texts, a whole column at a time in native code. Pure.

The texts equal those of `row_encoder.py`, which encodes value by value; where Arrow's text of a
value differs, orjson or Python encodes it.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from tap_mssql_query.encoding.columns import ColumnKind
from tap_mssql_query.encoding.row_encoder import LossyConversions, shortest_floats, to_utc
from tap_mssql_query.encoding.singer_json import VALUE_OPTIONS, dump_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TEXT = pa.large_string()
_NOTHING = pa.scalar("", TEXT)
_NO_FRACTION = b".000000"
_PLAIN_SCALE = 6
"""The largest scale at which Arrow writes every decimal without an exponent."""
_SEPARATORS = ("\x7f", "\U0010ffff", "\ufdd0")
"""Characters that JSON does not escape; one that a block's texts lack separates them."""


@dataclass(frozen=True, slots=True)
class ColumnText:
    """JSON texts of a column, without `opening` and `closing`, which enclose all but NULL."""

    texts: pa.LargeStringArray
    opening: str = ""
    closing: str = ""

    def with_nulls_written(self) -> ColumnText:
        """The same without Arrow nulls: `null` and the quotes become part of the texts."""
        if not self.texts.null_count:
            return self
        is_bare = not (self.opening or self.closing)
        texts = self.texts if is_bare else _join(self.opening, self.texts, self.closing)
        return ColumnText(texts.fill_null("null"))


def column_text(
    array: pa.Array, kind: ColumnKind, timezone: str, conversions: LossyConversions
) -> ColumnText:
    """The column's values as they appear in a RECORD; arguments as for `records_of`."""
    match kind:
        case ColumnKind.INSTANT:
            return _instants(to_utc(array, timezone, conversions))
        case ColumnKind.TEXT:
            return _texts(array.cast(TEXT), conversions)
        case ColumnKind.JSON:
            values = (conversions.json_or_text(text) for text in array.to_pylist())
            return ColumnText(pa.array([dump_value(value) for value in values], TEXT))
    return _KERNELS[kind](array)


def text_bytes(texts: pa.LargeStringArray) -> pa.Buffer:
    """The concatenated bytes of all texts."""
    _, offsets, data = texts.buffers()
    if data is None:
        return pa.py_buffer(b"")
    ends = memoryview(offsets).cast("q")
    first, last = ends[texts.offset], ends[texts.offset + len(texts)]
    return data.slice(first, last - first)


def _join(*parts: str | pa.Array, **options: Any) -> pa.LargeStringArray:
    parts_as_arrow = [pa.scalar(part, TEXT) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*parts_as_arrow, _NOTHING, **options)


def _split(joined: bytes, separator: str) -> pa.LargeStringArray:
    return pc.split_pattern(pa.array([joined], TEXT), separator).values


def _plain(array: pa.Array) -> ColumnText:
    """Integers and booleans."""
    return ColumnText(array.cast(TEXT))


def _floats(array: pa.Array) -> ColumnText:
    """As orjson writes them, without a comma: identical to `row_encoder.py` by construction."""
    values = shortest_floats(array).to_pylist()
    return ColumnText(_split(orjson.dumps(values, option=VALUE_OPTIONS)[1:-1], ","))


def _decimals(array: pa.Array) -> ColumnText:
    """Arrow writes 0.00000001 as 1E-8; Python writes such values."""
    texts = array.cast(TEXT)
    if array.type.scale > _PLAIN_SCALE and b"E" in text_bytes(texts).to_pybytes():
        has_exponent = pc.match_substring(texts, "E")
        own_digits = [format(value, "f") for value in array.filter(has_exponent).to_pylist()]
        texts = pc.replace_with_mask(texts, has_exponent, pa.array(own_digits, TEXT))
    return ColumnText(texts)


def _dates(array: pa.Array) -> ColumnText:
    return ColumnText(array.cast(TEXT), '"', '"')


def _times(array: pa.Array) -> ColumnText:
    texts = array.cast(pa.time64("us"), safe=False).cast(TEXT)
    return ColumnText(_without_zero_fraction(texts, text_bytes(texts).to_pybytes()), '"', '"')


def _instants(array: pa.Array) -> ColumnText:
    """Timestamps in UTC without a zone."""
    texts = array.cast(TEXT)
    data = text_bytes(texts).to_pybytes()
    validity, offsets, _ = texts.buffers()
    data = data.replace(b" ", b"T")
    texts = pa.LargeStringArray.from_buffers(
        len(texts), offsets, pa.py_buffer(data), validity, texts.null_count, texts.offset
    )
    return ColumnText(_without_zero_fraction(texts, data), '"', 'Z"')


def _without_zero_fraction(texts: pa.LargeStringArray, data: bytes) -> pa.LargeStringArray:
    if _NO_FRACTION not in data:
        return texts
    return pc.replace_substring(texts, _NO_FRACTION.decode(), "")


def _base64(array: pa.Array) -> ColumnText:
    encoded = [
        None if value is None else binascii.b2a_base64(value, newline=False)
        for value in array.to_pylist()
    ]
    return ColumnText(pa.array(encoded, TEXT), '"', '"')


def _texts(array: pa.LargeStringArray, conversions: LossyConversions) -> ColumnText:
    """Fast path: if escaping the concatenation changes nothing, reuse the buffers unchanged."""
    joined = str(text_bytes(array), "utf-8")
    if not joined.isascii():
        array.validate(full=True)  # refuses a character split between two texts
        if "\ufffd" in joined:
            conversions.count_replaced_characters(array)
    if len(orjson.dumps(joined)) == text_bytes(array).size + len('""'):
        return ColumnText(array, '"', '"')
    return ColumnText(_escaped(array, joined), '"', '"')


def _escaped(array: pa.LargeStringArray, joined: str) -> pa.LargeStringArray:
    separator = next((mark for mark in _SEPARATORS if mark not in joined), None)
    if separator is None:
        return pa.array([value and orjson.dumps(value)[1:-1] for value in array.to_pylist()], TEXT)
    marked = _join(array, separator, null_handling="replace", null_replacement="")
    dumped = orjson.dumps(str(text_bytes(marked), "utf-8"))
    escaped = _split(dumped[1 : -1 - len(separator.encode())], separator)
    return pc.if_else(array.is_valid(), escaped, None) if array.null_count else escaped


_KERNELS: Mapping[ColumnKind, Callable[[pa.Array], ColumnText]] = {
    ColumnKind.BOOLEAN: _plain,
    ColumnKind.INTEGER: _plain,
    ColumnKind.FLOAT: _floats,
    ColumnKind.DECIMAL: _decimals,
    ColumnKind.DATE: _dates,
    ColumnKind.TIME: _times,
    ColumnKind.BINARY: _base64,
}
