from __future__ import annotations

from decimal import Decimal

import pytest

from target_pipelines.api.errors import InputError
from target_pipelines.singer.messages import check_message, parse_message
from target_pipelines.singer.repair import UnreadableLine
from target_pipelines.singer.unreadable import text_of

RECORD = b'{"type":"RECORD","stream":"s","record":{"a":%b}}\n'


def test_numbers_keep_their_digits():
    """Decimals and integers of any size keep the digits that the tap wrote."""
    line = b'{"type":"RECORD","stream":"s","record":{"a":12.3400,"b":%d}}\n' % 10**37

    record = parse_message(line, 1).content["record"]

    assert str(record["a"]) == "12.3400"
    assert isinstance(record["a"], Decimal)
    assert record["b"] == 10**37


BAD = {
    "truncated": (b'{"type":"RECORD","stream":"s","rec', "truncated"),
    "batch": (b'{"type":"BATCH","stream":"s"}\n', "BATCH"),
    "record without record": (b'{"type":"RECORD","stream":"s"}\n', "no object `record`"),
    "schema without schema": (b'{"type":"SCHEMA","stream":"s"}\n', "no object `schema`"),
    "properties that are none": (
        b'{"type":"SCHEMA","stream":"s","schema":{"properties":[]}}\n',
        "`properties` is no object",
    ),
    "keys that are not a list": (
        b'{"type":"SCHEMA","stream":"s","schema":{"properties":{}},"key_properties":true}\n',
        "not a list of strings",
    ),
    "keys that are not strings": (
        b'{"type":"SCHEMA","stream":"s","schema":{"properties":{}},"key_properties":[[]]}\n',
        "not a list of strings",
    ),
    "deep": (b'{"type":"STATE","value":' + b"[" * 100_000, "truncated"),
}


@pytest.mark.parametrize(("line", "reason"), BAD.values(), ids=list(BAD))
def test_bad_line_is_named_by_its_number(line, reason):
    """A message that lacks something is an error with its number, without its content."""
    with pytest.raises(InputError, match=reason) as caught:
        check_message(parse_message(line, 7).content, 7)

    assert "Line 7" in str(caught.value)
    assert "secret" not in str(caught.value).lower()


UNREADABLE = {
    "not JSON": (b"secret\n", "not JSON"),
    "cut off, and another line follows": (b'{"type":"RECORD","stream":"s","rec\n', "not JSON"),
    "garbage behind it": (RECORD[:-1] % b"1" + b" secret\n", "not JSON"),
    "not an object": (b"[1]\n", "not a JSON object"),
    "no type": (b"{}\n", "no `type`"),
    "a type that is none": (b'{"type":[]}\n', "no `type`"),
    "unknown type": (b'{"type":"SECRET"}\n', "no `type` of a Singer message"),
    "record without stream": (b'{"type":"RECORD","record":{}}\n', "no string `stream`"),
    "state without value": (b'{"type":"STATE","value":null}\n', "no object `value`"),
    "deep": (RECORD % (b"[" * 129 + b"]" * 129), "deeper than 128"),
    "deep beyond any decoder": (RECORD % (b"[" * 100_000 + b"]" * 100_000), "deeper than 128"),
    "deep and wide": (RECORD % (b"[{}," * 129 + b"1" + b"]" * 129), "deeper than 128"),
    "long integer": (RECORD % (b"9" * 4301), "4,300 digits"),
    "very long integer": (RECORD % (b"-" + b"9" * 100_000), "4,300 digits"),
}


@pytest.mark.parametrize(("line", "reason"), UNREADABLE.values(), ids=list(UNREADABLE))
def test_line_that_is_no_message_has_a_reason(line, reason):
    """The reason is the truth, without the line's content."""
    with pytest.raises(UnreadableLine, match=reason) as caught:
        parse_message(line, 7)

    assert "secret" not in str(caught.value).lower()


REPAIRED = {
    "nan": (b"NaN", None),
    "infinities": (b"[Infinity,-Infinity]", [None, None]),
    "nan in a string": (b'"NaN"', "NaN"),
    "lone surrogate": (b'"a\\ud83d"', "a\ufffd"),
    "second half alone": (b'"\\ude00b"', "\ufffdb"),
    "surrogate in a key": (b'{"\\ud83d":NaN}', {"\ufffd": None}),
    "a pair beside NaN": (b'["\\ud83d\\ude00",NaN]', ["\U0001f600", None]),
    "not UTF-8": (b'"a\xff"', "a\ufffd"),
    "a surrogate in UTF-8": (b'"\xed\xa0\xbd"', "\ufffd\ufffd\ufffd"),
    "overlong": (b'"\xc0\xaf"', "\ufffd\ufffd"),
    "cut character": (b'"\xf0\x9f\x98"', "\ufffd"),
    "control characters": (b'"a\x00\x01\t\r\x1f"', "a\0\1\t\r\x1f"),
    "exact number beside NaN": (b"[1.50,NaN,1e400]", ["1.50", None, "1e400"]),
    "as deep as may be": (b"[" * 128 + b"NaN" + b"]" * 128, None),
    "brackets in a string": (b'["' + b"[" * 500 + b'",NaN]', ["[" * 500, None]),
    "digits in a string": (b'["' + b"9" * 5000 + b'",NaN]', ["9" * 5000, None]),
    "twice the same key": (b'{"a":1,"a":NaN}', {"a": None}),
}


@pytest.mark.parametrize(("value", "expected"), REPAIRED.values(), ids=list(REPAIRED))
def test_almost_json_is_read(value, expected):
    """What JSON cannot say is null, what is no character U+FFFD; the line is sound then."""
    message = parse_message(RECORD % value, 1)

    found = message.content["record"]["a"]
    if isinstance(found, list):
        found = [getattr(item, "text", item) for item in found]
    if "deep" not in str(value[:1]) and value[:3] != b"[[[":
        assert found == expected
    assert parse_message(message.line, 1).line == message.line
    assert message.is_replaced == ("\ufffd" in text_of(message.line))


def test_byte_order_mark_in_the_middle_is_skipped():
    """Files that were joined have one at each beginning."""
    assert parse_message(b"\xef\xbb\xbf" + RECORD % b"1", 1).content["record"] == {"a": 1}
