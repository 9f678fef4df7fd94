"""Conversion of values to RECORDs, record by record and block by block."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from tap_mssql_query.encoding.arrow_columns import columns_of_arrow_schema
from tap_mssql_query.encoding.batch_encoder import BatchEncoder
from tap_mssql_query.encoding.row_encoder import LossyConversions, records_of, to_utc
from tap_mssql_query.encoding.singer_json import dump_record, dump_value
from tap_mssql_query.errors import ConfigurationError


def _encode(
    values: list[Any],
    arrow_type: pa.DataType,
    *,
    json_columns: tuple[str, ...] = (),
    timezone: str = "UTC",
) -> list[str]:
    """The JSON text of each value of a block of one column, `v`; both encoders agree."""
    schema = pa.schema([("v", arrow_type)])
    block = pa.RecordBatch.from_arrays([pa.array(values, arrow_type)], schema=schema)
    columns = columns_of_arrow_schema(schema, json_columns)
    records = list(records_of(block, columns, timezone, LossyConversions()))
    encoded = b"".join(BatchEncoder("s", columns, timezone, LossyConversions()).encode(block))
    assert encoded == b"".join(dump_record("s", record) for record in records)
    return [dump_value(record["v"]).decode() for record in records]


MATRIX = [
    pytest.param(pa.int64(), [2**63 - 1, None], ["9223372036854775807", "null"], id="bigint"),
    pytest.param(pa.uint8(), [255], ["255"], id="tinyint"),
    pytest.param(pa.bool_(), [True, False, None], ["true", "false", "null"], id="bit"),
    pytest.param(
        pa.float64(),
        [0.1, 1e300, float("nan"), float("inf"), -float("inf")],
        ["0.1", "1e+300", "null", "null", "null"],
        id="float",
    ),
    pytest.param(
        pa.float32(),
        [0.1, 1e10, 3.4e38, 16777217.0, float("nan"), -float("inf"), None],
        ["0.1", "10000000000.0", "3.4e+38", "16777216.0", "null", "null", "null"],
        id="real",
    ),
    pytest.param(
        pa.decimal128(38, 10),
        [Decimal("12.5000000000"), Decimal("1E-10"), Decimal("-1234567890123456789012345678")],
        ["12.5000000000", "0.0000000001", "-1234567890123456789012345678.0000000000"],
        id="decimal keeps its digits",
    ),
    pytest.param(pa.decimal128(19, 4), [Decimal("1.0000")], ["1.0000"], id="money"),
    pytest.param(
        pa.timestamp("us"),
        [datetime(2026, 1, 2, 3, 4, 5, 123456), datetime(2026, 1, 2)],
        ['"2026-01-02T03:04:05.123456Z"', '"2026-01-02T00:00:00Z"'],
        id="datetime2",
    ),
    pytest.param(
        pa.timestamp("us", tz="UTC"),
        [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)],
        ['"2026-01-02T03:04:05Z"'],
        id="datetimeoffset",
    ),
    pytest.param(
        pa.timestamp("us"),
        [datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)],
        ['"0001-01-01T00:00:00Z"', '"9999-12-31T23:59:59.999999Z"'],
        id="the first and the last year",
    ),
    pytest.param(pa.date32(), [date(2026, 1, 2)], ['"2026-01-02"'], id="date"),
    pytest.param(
        pa.time64("ns"),
        [time(3, 4, 5, 123456), time(0), time(0, 0, 0, 10_000), time(0, 0, 0, 1), None],
        ['"03:04:05.123456"', '"00:00:00"', '"00:00:00.010000"', '"00:00:00.000001"', "null"],
        id="time",
    ),
    pytest.param(
        pa.large_string(),
        ["Zoë 🚀", 'a"b\\c\n', "", None],
        ['"Zoë 🚀"', '"a\\"b\\\\c\\n"', '""', "null"],
        id="nvarchar",
    ),
    pytest.param(
        pa.large_binary(), [b"\x00\xff", b"", None], ['"AP8="', '""', "null"], id="varbinary"
    ),
]


@pytest.mark.parametrize(("arrow_type", "values", "texts"), MATRIX)
def test_values_follow_the_contract(
    arrow_type: pa.DataType, values: list[Any], texts: list[str]
) -> None:
    """Each type has one text form, and every line is valid JSON."""
    assert _encode(values, arrow_type) == texts
    for text in texts:
        json.loads(text)


def test_json_columns_are_parsed() -> None:
    """JSON text becomes JSON on one line; invalid JSON stays text and is counted."""
    values = ['[{"sku": "a",\n"n": 1}]', "not json", "", None]
    texts = _encode(values, pa.large_string(), json_columns=("v",))
    assert texts == ['[{"sku":"a","n":1}]', '"not json"', "null", "null"]


@pytest.mark.parametrize(
    "text",
    ["34.50", "123456789012345678901234567890", "1E+400", "-0.0", '{"a":[{"b":1.10}]}', "1.0"],
)
def test_numbers_of_json_columns_keep_their_digits(text: str) -> None:
    """The destination gets the digits of the column."""
    assert _encode([text], pa.large_string(), json_columns=("v",)) == [text]


@pytest.mark.parametrize("depth", [1, 100, 127, 128, 129, 130, 254, 255, 256, 3_000])
@pytest.mark.parametrize("pair", ["[]", '{"a":}'])
def test_json_of_any_depth_is_written(depth, pair) -> None:
    """Up to 128 levels are JSON, at any width; what is deeper stays text."""
    opening, closing = pair[:-1], pair[-1]
    text = opening * depth + ("1" if opening != "[" else "") + closing * depth

    (written,) = _encode([text], pa.large_string(), json_columns=("v",))

    assert written == (text if depth <= 128 else json.dumps(text))


@pytest.mark.parametrize("text", ["[" * 100_000, '"\\ud83d"', "NaN", "{} {}", "01"])
def test_hostile_json_stays_text(text: str) -> None:
    """Deep nesting, lone surrogates and nearly valid JSON stay text."""
    (written,) = _encode([text], pa.large_string(), json_columns=("v",))
    assert json.loads(written) == text


def test_invalid_json_is_counted() -> None:
    """The number of values that are not JSON is known after the run."""
    schema = pa.schema([("v", pa.large_string())])
    block = pa.RecordBatch.from_arrays([pa.array(["{", "{}"], pa.large_string())], schema=schema)
    conversions = LossyConversions()
    list(records_of(block, columns_of_arrow_schema(schema, ["v"]), "UTC", conversions))
    assert conversions.invalid_json == 1


@pytest.mark.parametrize(
    ("local", "instant"),
    [
        pytest.param(datetime(2026, 1, 2, 12), "2026-01-02T11:00:00Z", id="winter"),
        pytest.param(datetime(2026, 7, 2, 12), "2026-07-02T10:00:00Z", id="summer"),
        pytest.param(datetime(2026, 10, 25, 2, 30), "2026-10-25T00:30:00Z", id="twice: the first"),
        pytest.param(datetime(2026, 3, 29, 2, 30), "2026-03-29T01:00:00Z", id="never: the next"),
    ],
)
def test_timezone_places_local_times(local: datetime, instant: str) -> None:
    """Date-times without an offset are in the sync's time zone, including daylight saving."""
    texts = _encode([local], pa.timestamp("us"), timezone="Europe/Amsterdam")
    assert texts == [f'"{instant}"']


@pytest.mark.parametrize(
    ("zone", "local", "instant"),
    [
        ("America/New_York", datetime(2026, 3, 8, 1, 59), "2026-03-08T06:59:00Z"),
        ("America/New_York", datetime(2026, 3, 8, 3, 0), "2026-03-08T07:00:00Z"),
        ("America/New_York", datetime(2026, 11, 1, 1, 30), "2026-11-01T05:30:00Z"),
        ("Australia/Lord_Howe", datetime(2026, 4, 5, 1, 45), "2026-04-04T14:45:00Z"),
        ("Australia/Lord_Howe", datetime(2026, 10, 4, 2, 30), "2026-10-03T15:30:00Z"),
        ("Asia/Kolkata", datetime(2026, 1, 2, 0, 0), "2026-01-01T18:30:00Z"),
    ],
)
def test_change_days_of_other_zones(zone: str, local: datetime, instant: str) -> None:
    """Daylight saving of an hour, of half an hour, and none."""
    assert _encode([local], pa.timestamp("us"), timezone=zone) == [f'"{instant}"']


@pytest.mark.parametrize(
    ("zone", "local", "instant"),
    [
        ("Europe/Amsterdam", datetime(1, 1, 1), "0001-01-01T00:00:00Z"),
        ("Asia/Tokyo", datetime(1, 1, 1, 9), "0001-01-01T00:00:00Z"),
        ("America/New_York", datetime(9999, 12, 31, 23, 59), "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_times_at_the_ends_of_the_calendar_are_clamped(zone, local, instant) -> None:
    """Placeholders such as 0001-01-01 may be in the year 0 in UTC, which no text has."""
    usual = datetime(2026, 1, 2)
    assert _encode([local, None, usual], pa.timestamp("us"), timezone=zone)[:2] == [
        f'"{instant}"',
        "null",
    ]


def test_clamped_times_are_counted() -> None:
    """Each one, and no other."""
    conversions, values = LossyConversions(), [datetime(1, 1, 1), None, datetime(2026, 1, 2)]
    to_utc(pa.array(values, pa.timestamp("us")), "Europe/Amsterdam", conversions)
    assert conversions.clamped_times == 1


def test_unknown_zone_is_a_configuration_error() -> None:
    """Python's database may have names that Arrow's lacks."""
    with pytest.raises(ConfigurationError, match="`timezone` No/Zone is not known"):
        to_utc(pa.array([datetime(2026, 1, 2)], pa.timestamp("us")), "No/Zone", LossyConversions())


def test_timezone_leaves_offsets_alone() -> None:
    """A datetimeoffset is already an instant."""
    moment = datetime(2026, 1, 2, tzinfo=UTC) + timedelta(hours=1)
    texts = _encode([moment], pa.timestamp("us", tz="UTC"), timezone="Europe/Amsterdam")
    assert texts == ['"2026-01-02T01:00:00Z"']
