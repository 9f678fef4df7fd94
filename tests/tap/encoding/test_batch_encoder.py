"""Blocks give the lines of their rows one by one: any types, texts, NULLs and slices."""

from __future__ import annotations

import json
import struct
from datetime import datetime
from decimal import Context, Decimal
from random import Random
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_mssql_query.encoding.arrow_columns import columns_of_arrow_schema
from tap_mssql_query.encoding.batch_encoder import BatchEncoder
from tap_mssql_query.encoding.row_encoder import LossyConversions, records_of
from tap_mssql_query.encoding.singer_json import dump_record

if TYPE_CHECKING:
    from tap_mssql_query.encoding.columns import Column

_STREAM = 'a "stream" of Zoë'
_AWKWARD = (
    *('"', "\\", "\x00", "\x1f", "\x7f", "\u2028", "\x85", "\xa0", "\ud7ff", "\ue000", "\ufffd"),
    *("\\u007f", "\n\r\t\b\f", "", "null", ",", '","', "%s{}", "é", "😀", "\U0010ffff", "\ufdd0"),
    *("\x7f\U0010ffff\ufdd0", '\x7f\U0010ffff\ufdd0"', "a\x7fb", "</script>"),
)
_TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(_AWKWARD),
    st.text('abc "\\\x01,\x7f', max_size=6),
)
_FLOATS = (
    *(0.0, -0.0, 1e15, 1e16, 123456789012345680.0, 1e-4, 1e-5, 1e-7, 5e-324, 0.1, 1 / 3, 1e21),
    *(1.7976931348623157e308, float("nan"), float("inf"), float("-inf")),
)
_INSTANT = st.one_of(
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)),
    st.datetimes(datetime(1950, 1, 1), datetime(2090, 1, 1)).map(
        lambda d: d.replace(microsecond=0)
    ),
    st.sampled_from([datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)]),
)
_NANOSECONDS = st.one_of(
    st.integers(0, 86_399_999_999_999),
    st.integers(0, 86_399).map(lambda seconds: seconds * 10**9),
    st.integers(0, 99_999).map(lambda microseconds: microseconds * 1000),
)
_JSON = st.one_of(
    _TEXT,
    st.sampled_from(["{}", " ", "[1.10,2e400]", "123456789012345678901", "NaN", '"\\ud800"']),
    st.dictionaries(st.text('ab"', max_size=2), st.floats(allow_nan=False)).map(json.dumps),
)


def _decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    top = 10**precision - 1
    unscaled = st.integers(-top, top) | st.integers(-min(20, top), min(20, top))
    return unscaled.map(lambda value: Decimal(value).scaleb(-scale, Context(prec=60)))


_TYPES: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.bool_(), st.booleans()),
    (pa.uint8(), st.integers(0, 255)),
    (pa.int16(), st.integers(-(2**15), 2**15 - 1)),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.float32(), st.floats(width=32)),
    (pa.float64(), st.floats() | st.sampled_from(_FLOATS)),
    *(
        (pa.decimal128(precision, scale), _decimals(precision, scale))
        for precision, scale in ((12, 2), (19, 4), (38, 0), (38, 38), (18, 8), (7, 7), (1, 0))
    ),
    (pa.timestamp("us"), _INSTANT),
    (pa.timestamp("us", tz="UTC"), _INSTANT),
    (pa.timestamp("s"), _INSTANT.map(lambda moment: moment.replace(microsecond=0))),
    (pa.date32(), st.dates()),
    (pa.time64("ns"), _NANOSECONDS),
    (pa.time64("us"), _NANOSECONDS.map(lambda nanoseconds: nanoseconds // 1000)),
    (pa.large_string(), _TEXT),
    (pa.string(), _TEXT),
    (pa.large_binary(), st.binary(max_size=9)),
    (pa.binary(), st.binary(max_size=9)),
]


def _array(values: list[Any], arrow_type: pa.DataType) -> pa.Array:
    if pa.types.is_time(arrow_type):
        return pa.array(values, pa.int64()).cast(arrow_type)
    if pa.types.is_decimal(arrow_type):  # pa.array takes the first value's precision for all
        texts = [value if value is None else format(value, "f") for value in values]
        return pa.array(texts, pa.string()).cast(arrow_type)
    return pa.array(values, arrow_type)


def _block(*columns: tuple[str, pa.DataType, list[Any]]) -> pa.RecordBatch:
    arrays = [_array(values, arrow_type) for _, arrow_type, values in columns]
    return pa.RecordBatch.from_arrays(arrays, names=[name for name, _, _ in columns])


@st.composite
def _blocks(draw: st.DrawFn) -> tuple[list[Column], pa.RecordBatch]:
    """A block of any columns, each a slice of a longer array, with no, some or only NULLs."""
    rows, skipped = draw(st.integers(1, 9)), draw(st.integers(0, 9))
    columns: list[tuple[str, pa.DataType, list[Any]]] = []
    json_columns: list[str] = []
    for arrow_type, own_values in draw(st.lists(st.sampled_from(_TYPES), min_size=1, max_size=6)):
        name = draw(st.sampled_from(["a", "é", 'q"', "back\\slash", "{x}%s", "nul\x00"]))
        name += str(len(columns))
        values = own_values
        if own_values is _TEXT and draw(st.booleans()):
            json_columns.append(name)
            values = _JSON
        values = draw(st.sampled_from([values, values | st.none(), st.none()]))
        length = rows + skipped + 2
        columns.append((name, arrow_type, draw(st.lists(values, min_size=length, max_size=length))))
    block = _block(*columns).slice(skipped, rows)
    return columns_of_arrow_schema(block.schema, json_columns), block


def _by_block(columns: list[Column], block: pa.RecordBatch, timezone: str) -> object:
    conversions = LossyConversions()
    return b"".join(
        BatchEncoder(_STREAM, columns, timezone, conversions).encode(block)
    ), conversions


def _by_record(columns: list[Column], block: pa.RecordBatch, timezone: str) -> object:
    conversions = LossyConversions()
    records = records_of(block, columns, timezone, conversions)
    return b"".join(dump_record(_STREAM, record) for record in records), conversions


def _outcome(way: Any, *arguments: Any) -> object:
    """Bytes and counts, or the refusal of the values."""
    try:
        return way(*arguments)
    except (ValueError, OverflowError):
        return "refused"


def _assert_same(columns: list[Column], block: pa.RecordBatch, timezone: str = "UTC") -> None:
    expected = _outcome(_by_record, columns, block, timezone)
    assert _outcome(_by_block, columns, block, timezone) == expected


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(_blocks(), st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]))
def test_any_block_has_the_bytes_of_its_records(
    columns_and_block: tuple[list[Column], pa.RecordBatch], timezone: str
) -> None:
    """Bytes, counts and refusals equal those of the rows one by one."""
    _assert_same(*columns_and_block, timezone)


def _assert_same_column(arrow_type: pa.DataType, values: list[Any]) -> None:
    block = _block(("c", arrow_type, values))
    _assert_same(columns_of_arrow_schema(block.schema, []), block)


def test_every_character_has_the_same_bytes() -> None:
    """All of Unicode, alone and among other characters, with and without a NULL."""
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    texts = ["".join(characters[first : first + 7]) for first in range(0, len(characters), 7)]
    _assert_same_column(pa.large_string(), texts)
    _assert_same_column(pa.large_string(), [*characters[:0x3000], None])


@pytest.mark.parametrize("text", _AWKWARD)
def test_texts_may_contain_the_separators(text: str) -> None:
    """Texts may contain the characters that separate them during escaping."""
    _assert_same_column(pa.large_string(), [item for other in _AWKWARD for item in (text, other)])


@pytest.mark.parametrize(("form", "arrow_type"), [("d", pa.float64()), ("f", pa.float32())])
def test_floats_of_any_bits(form: str, arrow_type: pa.DataType) -> None:
    """Random floats have the shortest digits that round-trip."""
    random = Random(1)
    bits = [random.randbytes(struct.calcsize(form)) for _ in range(20_000)]
    _assert_same_column(arrow_type, [struct.unpack(form, value)[0] for value in bits])


@pytest.mark.parametrize("arrow_type", [arrow_type for arrow_type, _ in _TYPES], ids=str)
def test_empty_and_null_columns(arrow_type: pa.DataType) -> None:
    """No rows give no lines; only NULLs give lines of nulls."""
    _assert_same_column(arrow_type, [])
    _assert_same_column(arrow_type, [None] * 3)


@pytest.mark.parametrize("data", [b"\xc3\xa9", b"\xff\xc3"], ids=["valid if joined", "invalid"])
def test_invalid_utf_8_is_refused(data: bytes) -> None:
    """Texts that are invalid UTF-8 are refused, even if together they are valid."""
    offsets = pa.py_buffer(struct.pack("3q", 0, 1, 2))
    texts = pa.LargeStringArray.from_buffers(2, offsets, pa.py_buffer(data))
    block = pa.RecordBatch.from_arrays([texts], names=["c"])
    columns = columns_of_arrow_schema(block.schema, [])
    assert _outcome(_by_block, columns, block, "UTC") == "refused"
    assert _outcome(_by_record, columns, block, "UTC") == "refused"


def _pieces_of(block: pa.RecordBatch) -> list[bytes]:
    columns = columns_of_arrow_schema(block.schema, [])
    return [
        bytes(piece)
        for piece in BatchEncoder("s", columns, "UTC", LossyConversions()).encode(block)
    ]


def test_long_blocks_leave_in_pieces() -> None:
    """Each piece has whole lines; together they have all rows in order."""
    block = _block(("n", pa.int64(), list(range(20_000))))
    pieces = _pieces_of(block)
    lines = b"".join(pieces).splitlines()
    assert len(pieces) > 1
    assert all(piece.endswith(b"\n") for piece in pieces)
    assert [json.loads(line)["record"]["n"] for line in lines] == list(range(20_000))


def test_large_values_leave_in_pieces_of_bounded_size() -> None:
    """Rows of a megabyte are written a few at a time, so memory is bounded."""
    block = _block(("big", pa.large_string(), ["x" * 2**20] * 100))
    pieces = _pieces_of(block)
    assert max(map(len, pieces)) <= 9 * 2**20
    assert sum(piece.count(b"\n") for piece in pieces) == 100


def test_many_columns_with_long_names_count_too() -> None:
    """Names, which outweigh narrow values, count for the size of a piece."""
    names = [f"{number:03d}" * 40 for number in range(300)]
    block = _block(*((name, pa.int64(), [1] * 4096) for name in names))
    assert max(map(len, _pieces_of(block))) <= 9 * 2**20
