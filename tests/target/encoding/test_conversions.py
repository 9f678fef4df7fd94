from __future__ import annotations

from decimal import Decimal

import pytest

from target_pipelines.encoding.conversions import conversion_for, to_boolean, to_instant, to_text

INSTANTS = {
    "the first year": ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    "the last year": ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    "the first year without an offset": ("0001-01-01T00:00:00", "0001-01-01T00:00:00Z"),
    "a date": ("2026-01-02", "2026-01-02T00:00:00Z"),
    "before 1970": (-1, "1969-12-31T23:59:59Z"),
    "too far": (10**18, 10**18),
    "a fraction": (Decimal("1735689600.5"), "2025-01-01T00:00:00.500000Z"),
    "empty": ("  ", None),
    "a boolean": (True, True),
    "an object": ({}, {}),
}


@pytest.mark.parametrize(("value", "instant"), INSTANTS.values(), ids=list(INSTANTS))
def test_instants_at_the_edges(value, instant):
    """First and last year, numbers, dates; a value that is no instant is left to the schema."""
    assert to_instant(value) == instant


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
