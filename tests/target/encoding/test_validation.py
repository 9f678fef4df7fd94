"""Reasons: one validator decides and explains, with names and without values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema_rs import validator_for

from program_kit.exact_json import decode_object, encode_json
from target_pipelines.api.calls import EncodedCall
from target_pipelines.api.settings import TargetSettings
from target_pipelines.encoding.encoder import Rejection, StreamEncoder
from target_pipelines.encoding.validation import CallValidator
from target_pipelines.plugins.loading import load_plugins
from target_pipelines.singer.streams import Stream
from target_pipelines.testing.call_types import encode_row

CALL_TYPES = load_plugins().call_types


def _reason(call_type: str, **row: Any) -> str:
    encoded = encode_row(CALL_TYPES[call_type], row)
    assert isinstance(encoded, Rejection)
    return encoded.reason


NOT_A_TIME = {
    "words": ("yesterday", "text of 9 letters"),
    "words with a blank": ("last year", "text of 9 characters"),
    "digits": ("123", "text of 3 digits"),
    "a date as an integer": (20260102, "an integer of 8 digits"),
    "the year 4970 or 1973": (94694400000, "an integer of 11 digits"),
    "a fraction": (Decimal("1.5"), "a number with a fraction or an exponent"),
    "the year 0": ("0000-01-02T03:04:05Z", "text of 20 characters"),
    "a boolean": (True, "a boolean"),
    "an object": ({"a": 1}, "an object of 1 member"),
    "an array": ([1, 2], "an array of 2 items"),
}


@pytest.mark.parametrize(("value", "came"), NOT_A_TIME.values(), ids=list(NOT_A_TIME))
def test_reason_names_the_field_and_what_came(value, came):
    """`createdAt` and `timestamp` alike: the field, what is wrong, and the size of the value."""
    assert _reason("identify", userId=1, createdAt=value) == (
        f"Field `traits.createdAt` is not a date-time: {came}."
    )
    assert _reason("track", userId=1, event="e", timestamp=value) == (
        f"Field `timestamp` is not a date-time: {came}."
    )


def test_unix_time_as_text_is_accepted():
    """Many tables hold unix seconds as text."""
    encoded = encode_row(CALL_TYPES["identify"], {"userId": 1, "createdAt": "1735715858"})

    assert isinstance(encoded, EncodedCall)
    assert decode_object(encoded.body)["traits"] == {"createdAt": "2025-01-01T07:17:38Z"}


CALLS: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"event": "e"}, "The call needs `userId` or `anonymousId`."),
    "missing event": ({"userId": "1"}, "The call lacks `event`."),
    "empty": ({"userId": "1", "event": ""}, "Field `event` is empty: text of 0 characters."),
    "type": ({"userId": 17, "event": "e"}, "not of type string: an integer of 2 digits."),
    "array": (
        {"userId": "1", "event": "e", "context": {"page": {"keywords": ["a", 1]}}},
        "Field `context.page.keywords.1` is not of type string: an integer of 1 digit.",
    ),
    "length": (
        {"userId": "1", "event": "e", "messageId": "x" * 101},
        "Field `messageId` is longer than 100: text of 101 letters.",
    ),
}


@pytest.mark.parametrize(("call", "reason"), CALLS.values(), ids=list(CALLS))
def test_every_rule_of_a_call_has_a_sentence(call, reason):
    """The sentence names the field."""
    validator = CallValidator(CALL_TYPES["track"].schema)

    assert validator.describe_violation(call).endswith(reason)


RULES: dict[str, tuple[Any, Any, str]] = {
    "anyOf": (
        {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "integer"}]},
        "x",
        "(field `f` is not a date-time: text of 1 letter; field `f` is not of type integer: text ",
    ),
    "oneOf": ({"oneOf": [{"type": "string"}, {"minLength": 1}]}, "xx", "the rule oneOf: text of"),
    "not": ({"not": {"type": "string"}}, "x", "violates the rule not: text of 1 letter."),
    "false": (False, "x", "Field `f` is not allowed: text of 1 letter."),
    "names": ({"propertyNames": {"maxLength": 1}}, {"ab": 1}, "an object of 1 member."),
    "const": ({"const": "y"}, "x", "violates the rule const: text of 1 letter."),
    "minimum": ({"minimum": 3}, 2, "is less than 3: an integer of 1 digit."),
    "unknown": (
        {"properties": {"a": {}}, "additionalProperties": False},
        {"b": 1},
        "Field `f` has unknown keys: 1 key of a JSON value; known are a.",
    ),
    "enum": ({"enum": ["browser", "server"]}, "tv", "is not one of browser, server: text of 2 l"),
    "reference": ({"$ref": "#/$defs/t"}, 1, "is not of type string: an integer of 1 digit."),
    "two alternatives": (
        {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {},
        "Field `f` needs `a` or `b`.",
    ),
    "items": ({"maxItems": 1}, [1, 2], "has more items than 1: an array of 2 items."),
    "null": ({"type": ["string", "integer"]}, None, "is not of type string or integer: null."),
}


@pytest.mark.parametrize(("rule", "value", "end"), RULES.values(), ids=list(RULES))
def test_every_keyword_of_a_plugin_has_a_sentence(rule, value, end):
    """Plugins may use any keyword: the reason names the field."""
    schema = {"properties": {"f": rule}, "$defs": {"t": {"type": "string"}}}

    reason = CallValidator(schema).describe_violation({"f": value})

    assert reason.startswith("Field `f` ")
    assert reason.endswith(end) or end in reason


def test_reason_names_columns_but_no_keys_of_a_value():
    """A key in the JSON of a row may be an address or a name."""
    schema = {
        "properties": {
            "traits": {
                "properties": {"carts": {"type": "object", "additionalProperties": {"minItems": 9}}}
            },
            "context": {"properties": {"a": {}}, "additionalProperties": False},
        }
    }
    validator = CallValidator(schema)
    cart = {"traits": {"carts": {"ann@example.com": [1]}}}
    device = {"context": {"ann": 1, "ip": 2}}

    assert validator.describe_violation(cart) == (
        "Field `traits.carts.…` has fewer items than 9: an array of 1 item."
    )
    assert "Field `traits.carts.vip` has" in validator.describe_violation(
        {"traits": {"carts": {"vip": [1]}}}, ["userId", "traits.carts.vip"]
    )
    assert validator.describe_violation(device, ["context.ip"]) == (
        "Field `context` has unknown keys: ip, 1 key of a JSON value; known are a."
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
FIELDS = st.sampled_from(
    ["userId", "anonymousId", "event", "name", "groupId", "previousId", "timestamp", "messageId"]
)
VALUES = JSON | st.sampled_from(["2026-01-02T03:04:05Z", "0000-01-02T03:04:05Z", "2026-01-02"])
CALL = st.dictionaries(FIELDS, VALUES, max_size=6)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(CALL_TYPES.names()),
    CALL,
    st.dictionaries(st.sampled_from(["createdAt", "email", "x"]), VALUES),
    st.dictionaries(st.sampled_from(["channel", "page", "active", "device"]), VALUES),
)
def test_what_is_rejected_is_explained(name, call, traits, context):
    """The validator that decides also explains: a reason for each invalid call, none for others."""
    schema = CALL_TYPES[name].schema
    call = {**call, "traits": traits, "context": context}
    is_valid = validator_for(dict(schema), validate_formats=True).is_valid(call)
    validator = CallValidator(schema)

    assert validator.is_valid(call) == is_valid
    assert bool(validator.describe_violation(call)) == (not is_valid)


TIMES = st.one_of(
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(str),
    st.datetimes(timezones=st.just(timezone(timedelta(hours=2)))).map(datetime.isoformat),
    st.datetimes(timezones=st.just(UTC)).map(lambda time: time.isoformat()[:-6] + "Z"),
    st.dates().map(str),
    st.dates().map(lambda date: f"{date:%Y%m%d}"),
    st.integers(-(10**16), 10**16),
    st.integers(-(10**16), 10**16).map(str),
    st.integers(10**8, 10**10).map(lambda n: f"{n}.25"),
    st.integers(10**11, 10**13).map(str),
    st.decimals(-(10**10), 10**13, places=3).map(lambda n: Decimal(f"{n}")),
    st.text(alphabet="0123456789-T: Z+.", max_size=30),
    st.text(max_size=12),
    st.booleans(),
    st.none(),
)


def _encoder(types: dict[str, str], null_values: str) -> StreamEncoder:
    return StreamEncoder(
        Stream(
            name="s",
            call_type=CALL_TYPES["identify"],
            plugin="p",
            last_sync_time=1,
            columns=types,
        ),
        settings=TargetSettings(null_values=null_values),
        call_max_bytes=10_000,
        event_schemas={},
    )


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(TIMES, TIMES), min_size=1, max_size=4), st.sampled_from(["omit", "send"]))
def test_times_are_the_same_in_a_block_and_row_by_row(rows, null_values):
    """Both encoders accept, convert and reject the same times, of `timestamp` and `createdAt`."""
    lines = [
        b'{"type":"RECORD","stream":"s","record":%b}\n'
        % encode_json({"userId": 1, "timestamp": time, "createdAt": created})
        for time, created in rows
    ]
    one_by_one = _encoder({}, null_values)
    expected = [
        one_by_one.encode(decode_object(line)["record"], 0, line, position)
        for position, line in enumerate(lines)
    ]

    block = _encoder({}, null_values).encode_block(b"".join(lines), 0)

    if block is not None:
        assert list(map(_plain, block)) == list(map(_plain, expected))
    for outcome in expected:
        if isinstance(outcome, Rejection):
            assert "`timestamp` is" in outcome.reason or "`traits.createdAt` is" in outcome.reason
        else:
            assert isinstance(outcome, EncodedCall)


def _plain(encoded: Any) -> Any:
    return encoded.body if isinstance(encoded, EncodedCall) else encoded


@settings(max_examples=300, deadline=None)
@given(TIMES)
def test_converted_times_are_valid_and_stay(value):
    """What a conversion returns is a date-time that another conversion would not change."""
    row = {"userId": 1, "timestamp": value}
    encoded = encode_row(CALL_TYPES["identify"], row)

    if isinstance(encoded, EncodedCall):
        sent = decode_object(encoded.body)
        if "timestamp" in sent:
            again = encode_row(CALL_TYPES["identify"], {**row, "timestamp": sent["timestamp"]})
            assert isinstance(again, EncodedCall)
            assert decode_object(again.body)["timestamp"] == sent["timestamp"]
            assert 1 <= int(sent["timestamp"][:4]) <= 9999
