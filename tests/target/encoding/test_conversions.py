from __future__ import annotations

from decimal import Decimal

import pytest

from target_pipelines.encoding.conversions import conversion_for, to_boolean, to_instant, to_text

INSTANTS = {
    "the first year": ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    "the last year": ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    "the first year without an offset": ("0001-01-01T00:00:00", "0001-01-01T00:00:00Z"),
    "seven digits after the point": (
        "2026-01-02T03:04:05.1234567Z",
        "2026-01-02T03:04:05.1234567Z",
    ),
    "a date": ("2026-01-02", "2026-01-02T00:00:00Z"),
    "a date with padding": (" 2026-01-02  ", "2026-01-02T00:00:00Z"),
    "a date without hyphens": ("20260102", "2026-01-02T00:00:00Z"),
    "a time without hyphens": ("20260102T030405Z", "2026-01-02T03:04:05Z"),
    "datetime": ("2026-01-02 03:04:05.123", "2026-01-02T03:04:05.123000Z"),
    "datetime with Z": ("2026-01-02 03:04:05Z", "2026-01-02T03:04:05Z"),
    "smalldatetime": ("2026-01-02 03:04", "2026-01-02T03:04:00Z"),
    "datetimeoffset": ("2026-01-02 03:04:05.1234567 +02:00", "2026-01-02T03:04:05.123456+02:00"),
    "minutes with Z": ("2026-01-02T03:04Z", "2026-01-02T03:04:00Z"),
    "a comma": ("2026-01-02T03:04:05,5Z", "2026-01-02T03:04:05.500000Z"),
    "lower case": ("2026-01-02t03:04:05z", "2026-01-02T03:04:05Z"),
    "a short offset": ("2026-01-02T03:04:05+0200", "2026-01-02T03:04:05+02:00"),
    "seconds": (1735715858, "2025-01-01T07:17:38Z"),
    "seconds as text": ("1735715858", "2025-01-01T07:17:38Z"),
    "seconds with a fraction": (Decimal("1735689600.5"), "2025-01-01T00:00:00.500000Z"),
    "seconds with a fraction as text": ("1735689600.5", "2025-01-01T00:00:00.500000Z"),
    "seconds with 9 digits": (631_152_000, "1990-01-01T00:00:00Z"),
    "the last second": (4_102_444_799, "2099-12-31T23:59:59Z"),
    "milliseconds": (1704062112345, "2023-12-31T22:35:12.345000Z"),
    "milliseconds as text, which begins like a date": (
        "1704062112345",
        "2023-12-31T22:35:12.345000Z",
    ),
    "milliseconds with 12 digits": ("631152000000", "1990-01-01T00:00:00Z"),
    "microseconds": (1735715858123456, "2025-01-01T07:17:38.123456Z"),
    "microseconds as text": ("1735715858123456", "2025-01-01T07:17:38.123456Z"),
    "nanoseconds": (1735715858123456789, "2025-01-01T07:17:38.123457Z"),
    "nanoseconds as text": ("1735715858123456789", "2025-01-01T07:17:38.123457Z"),
    "a whole decimal": (Decimal("1735715858.0"), "2025-01-01T07:17:38Z"),
    "zero, the same in every unit": (0, "1970-01-01T00:00:00Z"),
    "empty": ("  ", None),
}


@pytest.mark.parametrize(("value", "instant"), INSTANTS.values(), ids=list(INSTANTS))
def test_instants_are_converted(value, instant):
    """ISO 8601, SQL Server's texts and unix times become ISO 8601 with an offset."""
    assert to_instant(value) == instant


NOT_INSTANTS = {
    "words": "yesterday",
    "a day of a week": "2026-W01-1",
    "zeros": "00",
    "a padded number": "01767323045",
    "a date as an integer": 20260102,
    "a date and a time as an integer": 20260102030405,
    "a date and a time as digits": "20260102030405",
    "a year": 2026,
    "a year as text": "2026",
    "minus one": -1,
    "11 digits": 99_999_999_999,
    "the year 4970 in seconds, 1973 in milliseconds": 94694400000,
    "a date and minutes as digits": "202601021530",
    "a date and milliseconds as digits": "20260102030405123",
    "before 1990": 631_151_999,
    "2100": 4_102_444_800,
    "before 1970": -1735715858,
    "before 1970 as text": "-1735715858",
    "too far": 10**19,
    "38 digits": 10**38 - 1,
    "infinite": Decimal("Infinity"),
    "an exponent as text": "1.7e9",
    "digits of another script": "١٧٣٥٧١٥٨٥٨",
    "digits of no month": "20261302",
    "digits of the year 1704": "17040621",
    "the year 0": "0000-01-02 03:04:05",
    "the year 10000": "10000-01-02T03:04:05Z",
    "no such day": "2026-02-30",
    "no such hour": "2026-01-02 24:00:00",
    "no such offset": "2026-01-02T03:04:05+24:00",
    "another separator": "2026-01-02x03:04:05",
    "day first": "02.01.2026",
    "slashes": "01/02/2026",
    "a boolean": True,
    "an object": {},
}


@pytest.mark.parametrize("value", NOT_INSTANTS.values(), ids=list(NOT_INSTANTS))
def test_other_values_are_left_to_the_schema(value):
    """Nothing is guessed: the schema rejects the value, and the reason names the field."""
    assert to_instant(value) is value


@pytest.mark.parametrize("as_text", [True, False])
def test_every_magnitude_is_near_or_no_instant(as_text):
    """No number, and no text of digits, becomes a time outside 1990 to 2099; dates aside."""
    for digits in range(1, 40):
        for first in range(10, 100):
            number = int(f"{first}{'0' * digits}"[:digits])
            value = str(number) if as_text else number
            converted = to_instant(value)
            is_date = as_text and digits == 8 and number >= 18010000
            assert converted is value or is_date or "1990" <= converted[:4] <= "2099", value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2**53 + 1, str(2**53 + 1)),
        (-0, "0"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.10"), "0.10"),
        (True, "true"),
        ("\u0000", "\u0000"),
        ([], []),
    ],
)
def test_texts_at_the_edges(value, text):
    """No digit is lost above 2^53, and no exponent is written."""
    assert to_text(value) == text


@pytest.mark.parametrize(
    ("value", "boolean"),
    [(1, True), (0, False), ("TRUE", True), (" 0 ", False), (2, 2), ("yes", "yes"), (1.0, True)],
)
def test_booleans_at_the_edges(value, boolean):
    """Bits, `true` and `false` are converted; nothing else is guessed."""
    assert to_boolean(value) == boolean


@pytest.mark.parametrize("text", ["[" * 100_000, "[1", "x", "{}", "[NaN]"])
def test_broken_json_stays_text(text):
    """Text that is not a JSON array is left for the schema to reject."""
    convert = conversion_for({"type": "array"})

    assert convert is not None
    assert convert(text) == text


@pytest.mark.parametrize(
    ("enum", "value", "expected"),
    [
        (["android", "ios"], "iOS ", "ios"),
        (["android", "ios"], "windows", "windows"),
        (["A", "a"], "A", "A"),
        (["A", "a"], "a", "a"),
        (["1", "2"], 2, "2"),
        ([1, 2], 2, 2),
        (["a", None], "A", "A"),
        (["a"], None, None),
    ],
)
def test_case_of_a_listed_word_is_forgiven(enum, value, expected):
    """Only where all that is listed is text; an exact word stays."""
    convert = conversion_for({"enum": enum})
    assert (convert(value) if convert and value is not None else value) == expected


@pytest.mark.parametrize(
    ("types", "value", "expected"),
    [
        (["boolean", "object"], 0, False),
        (["boolean", "object"], "true", True),
        (["boolean", "object"], '{"a": 1}', {"a": 1}),
        (["boolean", "object"], True, True),
        (["boolean", "object"], "x", "x"),
        (["object", "array", "null"], "[1]", [1]),
        (["string", "null"], 7, "7"),
        (["boolean", "string"], True, True),
        (["boolean", "string"], "x", "x"),
        (["string", "boolean"], "a ", "a"),
        (["integer", "null"], "7", "7"),
    ],
)
def test_value_becomes_one_of_several_types(types, value, expected):
    """The one that fits; a value that has one of them stays."""
    convert = conversion_for({"type": types})
    assert (convert(value) if convert else value) == expected
