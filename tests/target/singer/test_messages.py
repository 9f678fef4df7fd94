from __future__ import annotations

from decimal import Decimal

import pytest

from target_pipelines.api.errors import InputError
from target_pipelines.singer.line_reader import MAX_LINE_BYTES
from target_pipelines.singer.messages import check_message, parse_message
from target_pipelines.singer.unreadable import UnreadableLine, head_of

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
    "truncated and deep": (b'{"type":"STATE","value":' + b"[" * 100_000, "truncated"),
    "batch": (b'{"type":"BATCH","stream":"s"}\n', "BATCH"),
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
    "record without record": (b'{"type":"RECORD","stream":"s"}\n', "no object `record`"),
    "record that is text": (b'{"type":"RECORD","stream":"s","record":"secret"}\n', "no object"),
    "state without value": (b'{"type":"STATE","value":null}\n', "no object `value`"),
    "deep": (RECORD % (b"[" * 129 + b"]" * 129), "deeper than 128"),
    "deep beyond any decoder": (RECORD % (b"[" * 100_000 + b"]" * 100_000), "too deeply"),
    "deep and wide": (RECORD % (b"[{}," * 129 + b"1" + b"]" * 129), "deeper than 128"),
    "deep after a repair": (RECORD % (b"[" * 129 + b"NaN" + b"]" * 129), "deeper than 128"),
    "long integer": (RECORD % (b"9" * 4301), "4,300 digits"),
    "long integer after a repair": (RECORD % (b"[NaN," + b"9" * 4301 + b"]"), "4,300 digits"),
    "very long integer": (RECORD % (b"-" + b"9" * 100_000), "4,300 digits"),
    "long line": (RECORD % (b'"' + b"x" * MAX_LINE_BYTES + b'"'), "longer than 50 MB"),
}


@pytest.mark.parametrize(("line", "reason"), UNREADABLE.values(), ids=list(UNREADABLE))
def test_line_that_is_no_message_has_a_reason(line, reason):
    """The reason is the truth, without the line's content."""
    with pytest.raises(UnreadableLine, match=reason) as caught:
        parse_message(line, 7)

    assert "secret" not in str(caught.value).lower()


REPAIRED = {
    "nan": (b"NaN", None, 0),
    "infinities": (b"[Infinity,-Infinity]", [None, None], 0),
    "nan in a string": (b'["NaN",NaN]', ["NaN", None], 0),
    "lone surrogate": (b'"a\\ud83d"', "a\ufffd", 1),
    "second half alone": (b'"\\ude00b"', "\ufffdb", 1),
    "surrogate in a key": (b'{"\\ud83d":NaN}', {"\ufffd": None}, 1),
    "a pair beside NaN": (b'["\\ud83d\\ude00",NaN]', ["\U0001f600", None], 0),
    "not UTF-8": (b'"a\xff"', "a\ufffd", 1),
    "its own replacement beside it": (b'"\xef\xbf\xbda\xff"', "\ufffda\ufffd", 1),
    "its own replacement beside NaN": (b'["\xef\xbf\xbd",NaN]', ["\ufffd", None], 0),
    "a surrogate in UTF-8": (b'"\xed\xa0\xbd"', "\ufffd\ufffd\ufffd", 3),
    "overlong": (b'"\xc0\xaf"', "\ufffd\ufffd", 2),
    "cut character": (b'"\xf0\x9f\x98"', "\ufffd", 1),
    "control characters": (b'"a\x00\x01\t\r\x1f"', "a\0\1\t\r\x1f", 0),
    "exact number beside NaN": (b"[1.50,NaN,1e400]", ["1.50", None, "1e400"], 0),
    "brackets in a string": (b'["' + b"[" * 500 + b'",NaN]', ["[" * 500, None], 0),
    "digits in a string": (b'["' + b"9" * 5000 + b'",NaN]', ["9" * 5000, None], 0),
    "twice the same key": (b'{"a":1,"a":NaN}', {"a": None}, 0),
}


@pytest.mark.parametrize(("value", "expected", "replaced"), REPAIRED.values(), ids=list(REPAIRED))
def test_almost_json_is_read(value, expected, replaced):
    """What JSON cannot say is null, what is no character U+FFFD; the line is sound then."""
    message = parse_message(RECORD % value, 1)

    found = message.content["record"]["a"]
    if isinstance(found, list):
        found = [getattr(item, "text", item) for item in found]
    assert (found, message.replaced) == (expected, replaced)
    assert parse_message(message.line, 1) == (message.content, message.line, 0)


@pytest.mark.parametrize("inner", [b"1", b"NaN"])
def test_values_are_read_up_to_the_limit(inner):
    """128 levels and 4,300 digits, whether the line must be repaired or not."""
    deep = RECORD % (b"[" * 128 + inner + b"]" * 128)
    long = RECORD % (b"[" + inner + b"," + b"9" * 4300 + b"]")

    assert parse_message(deep, 1).content["record"]["a"]
    assert parse_message(long, 1).content["record"]["a"][1] == int("9" * 4300)


def test_byte_order_mark_in_the_middle_is_skipped():
    """Files that were joined have one at each beginning."""
    message = parse_message(b"\xef\xbb\xbf" + RECORD % b"1", 1)

    assert (message.content["record"], message.replaced) == ({"a": 1}, 0)


HEADS = {
    "usual": b'{"type": "RECORD", "stream": "s", "record": {"a": tru}}',
    "stream last": b'{"type":"RECORD","record":{"a":tru,"stream":"x"},"stream":"s"}',
    "type last": b'{"record":{"a":NaN,"type":"x"}, "stream" : "s" ,"type":"RECORD"} garbage',
    "cut off": b'{"type":"RECORD","stream":"s","record":{"type":"x","b":"\\"type',
    "escaped quotes": b'{"type":"RECORD","record":{"a":"\\"}{\\\\"},"stream":"s",}',
    "a mark before it": b'\xef\xbb\xbf{"type":"RECORD","stream":"s",',
}


@pytest.mark.parametrize("line", HEADS.values(), ids=list(HEADS))
def test_line_that_cannot_be_read_still_names_its_stream(line):
    """Wherever `type` and `stream` stand; what is inside the record does not count."""
    head = head_of(line)

    assert (head.get("type"), head.get("stream")) == ("RECORD", "s")


def test_head_of_any_long_line_is_found_at_once():
    """No line makes the search slow: each byte is looked at a few times at most."""
    for unit in (b'\\"', b'"', b"{", b'":"', b'"a":', b"\\"):
        head_of(b'{"' + unit * 1_000_000)
