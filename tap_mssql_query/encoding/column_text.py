"""Columns → JSON texts, a whole column at a time in native code. Pure.

The texts are those of `records.py`, which writes value by value; where Arrow's own text of a value
differs, orjson or Python writes it.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from tap_mssql_query.encoding.columns import Kind
from tap_mssql_query.encoding.row_encoder import Changes, to_utc
from tap_mssql_query.encoding.singer_json import VALUE_OPTIONS, dump_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TEXT = pa.large_string()
_NOTHING = pa.scalar("", TEXT)
_NO_FRACTION = b".000000"
_INSTANT_BYTES = len("2026-01-02 03:04:05.123456")
_YEAR_0 = b"0000-"
_PLAIN_SCALE = 6
"""Up to here Arrow writes every decimal without an exponent."""
_SEPARATORS = ("\x7f", "\U0010ffff", "\ufdd0")
"""Characters that JSON does not escape; one that a block's texts lack stands between them."""


@dataclass(frozen=True, slots=True)
class JsonTexts:
    """JSON texts of a column, without `opening` and `closing`, which all values but NULL have."""

    texts: pa.LargeStringArray
    opening: str = ""
    closing: str = ""

    def with_nulls_written(self) -> JsonTexts:
        """The same without NULLs in Arrow's sense; they are texts too, and so are the quotes."""
        if not self.texts.null_count:
            return self
        is_bare = not (self.opening or self.closing)
        texts = self.texts if is_bare else _join(self.opening, self.texts, self.closing)
        return JsonTexts(texts.fill_null("null"))


def json_texts(array: pa.Array, kind: Kind, timezone: str, changes: Changes) -> JsonTexts:
    """What a column's values are in a RECORD; arguments as for `records_of`."""
    match kind:
        case Kind.INSTANT:
            return _instants(to_utc(array, timezone))
        case Kind.TEXT:
            return _texts(array.cast(TEXT), changes)
        case Kind.JSON:
            values = (changes.json_or_text(text) for text in array.to_pylist())
            return JsonTexts(pa.array([dump_value(value) for value in values], TEXT))
    return _KERNELS[kind](array)


def data_of(texts: pa.LargeStringArray) -> pa.Buffer:
    """The bytes of all texts, one after the other."""
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


def _plain(array: pa.Array) -> JsonTexts:
    """Integers and booleans."""
    return JsonTexts(array.cast(TEXT))


def _dumped(array: pa.Array) -> JsonTexts:
    """Values that orjson writes without a comma: exact by construction."""
    return JsonTexts(_split(orjson.dumps(array.to_pylist(), option=VALUE_OPTIONS)[1:-1], ","))


def _decimals(array: pa.Array) -> JsonTexts:
    """Arrow writes 0.00000001 as 1E-8; those values are written by Python."""
    texts = array.cast(TEXT)
    if array.type.scale > _PLAIN_SCALE and b"E" in data_of(texts).to_pybytes():
        has_exponent = pc.match_substring(texts, "E")
        own_digits = [format(value, "f") for value in array.filter(has_exponent).to_pylist()]
        texts = pc.replace_with_mask(texts, has_exponent, pa.array(own_digits, TEXT))
    return JsonTexts(texts)


def _dates(array: pa.Array) -> JsonTexts:
    return JsonTexts(array.cast(TEXT), '"', '"')


def _times(array: pa.Array) -> JsonTexts:
    texts = array.cast(pa.time64("us"), safe=False).cast(TEXT)
    return JsonTexts(_without_zero_fraction(texts, data_of(texts).to_pybytes()), '"', '"')


def _instants(array: pa.Array) -> JsonTexts:
    """Timestamps in UTC without a zone."""
    texts = array.cast(TEXT)
    data = data_of(texts).to_pybytes()
    if len(data) != _INSTANT_BYTES * (len(texts) - texts.null_count) or _YEAR_0 in data:
        return _dumped(array)  # out of the calendar: refused, as in `records_of`
    validity, offsets, _ = texts.buffers()
    data = data.replace(b" ", b"T")
    texts = pa.LargeStringArray.from_buffers(
        len(texts), offsets, pa.py_buffer(data), validity, texts.null_count, texts.offset
    )
    return JsonTexts(_without_zero_fraction(texts, data), '"', 'Z"')


def _without_zero_fraction(texts: pa.LargeStringArray, data: bytes) -> pa.LargeStringArray:
    if _NO_FRACTION not in data:
        return texts
    return pc.replace_substring(texts, _NO_FRACTION.decode(), "")


def _base64(array: pa.Array) -> JsonTexts:
    encoded = [
        None if value is None else binascii.b2a_base64(value, newline=False)
        for value in array.to_pylist()
    ]
    return JsonTexts(pa.array(encoded, TEXT), '"', '"')


def _texts(array: pa.LargeStringArray, changes: Changes) -> JsonTexts:
    """Texts: if JSON escapes nothing in all of them in one, they stay as they are."""
    joined = str(data_of(array), "utf-8")
    if not joined.isascii():
        array.validate(full=True)  # two halves of a character, each in a text of its own
        if "\ufffd" in joined:
            changes.count_replaced(array)
    if len(orjson.dumps(joined)) == data_of(array).size + len('""'):
        return JsonTexts(array, '"', '"')
    return JsonTexts(_escaped(array, joined), '"', '"')


def _escaped(array: pa.LargeStringArray, joined: str) -> pa.LargeStringArray:
    separator = next((mark for mark in _SEPARATORS if mark not in joined), None)
    if separator is None:
        return pa.array([value and orjson.dumps(value)[1:-1] for value in array.to_pylist()], TEXT)
    marked = _join(array, separator, null_handling="replace", null_replacement="")
    dumped = orjson.dumps(str(data_of(marked), "utf-8"))
    escaped = _split(dumped[1 : -1 - len(separator.encode())], separator)
    return pc.if_else(array.is_valid(), escaped, None) if array.null_count else escaped


_KERNELS: Mapping[Kind, Callable[[pa.Array], JsonTexts]] = {
    Kind.BOOLEAN: _plain,
    Kind.INTEGER: _plain,
    Kind.FLOAT: _dumped,
    Kind.DECIMAL: _decimals,
    Kind.DATE: _dates,
    Kind.TIME: _times,
    Kind.BINARY: _base64,
}
