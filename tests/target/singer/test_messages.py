from __future__ import annotations

from decimal import Decimal

import pytest

from target_pipelines.api.errors import InputError
from target_pipelines.singer.messages import check_message, parse_message


def test_numbers_keep_their_digits():
    """Decimals and integers of any size keep the digits that the tap wrote."""
    line = b'{"type":"RECORD","stream":"s","record":{"a":12.3400,"b":%d}}\n' % 10**37

    record = parse_message(line, 1)["record"]

    assert str(record["a"]) == "12.3400"
    assert isinstance(record["a"], Decimal)
    assert record["b"] == 10**37


BAD = {
    "not JSON": (b"secret\n", "invalid JSON"),
    "truncated": (b'{"type":"RECORD","stream":"s","rec', "truncated"),
    "not an object": (b"[1]\n", "not a JSON object"),
    "no type": (b"{}\n", "no `type`"),
    "unknown type": (b'{"type":"SECRET"}\n', "no `type` of a Singer message"),
    "batch": (b'{"type":"BATCH","stream":"s"}\n', "batch_config"),
    "record without record": (b'{"type":"RECORD","stream":"s"}\n', "no object `record`"),
    "record without stream": (b'{"type":"RECORD","record":{}}\n', "no string `stream`"),
    "schema without schema": (b'{"type":"SCHEMA","stream":"s"}\n', "no object `schema`"),
    "schema without properties": (
        b'{"type":"SCHEMA","stream":"s","schema":{"type":"object"}}\n',
        "no object `properties`",
    ),
    "keys that are not a list": (
        b'{"type":"SCHEMA","stream":"s","schema":{"properties":{}},"key_properties":true}\n',
        "not a list of strings",
    ),
    "keys that are not strings": (
        b'{"type":"SCHEMA","stream":"s","schema":{"properties":{}},"key_properties":[[]]}\n',
        "not a list of strings",
    ),
    "state without value": (b'{"type":"STATE","value":null}\n', "no object `value`"),
    "lone surrogate": (b'{"type":"STATE","value":{"a":"\\ud83d"}}\n', "invalid JSON"),
    "not UTF-8": (b'{"type":"STATE","value":{"a":"\xff"}}\n', "invalid JSON"),
    "deep": (b'{"type":"STATE","value":' + b"[" * 100_000, "truncated|invalid JSON"),
}


@pytest.mark.parametrize(("line", "reason"), BAD.values(), ids=list(BAD))
def test_bad_line_is_named_by_its_number(line, reason):
    """A line that is not a Singer message is an error with its number, without its content."""
    with pytest.raises(InputError, match=reason) as caught:
        check_message(parse_message(line, 7), 7)

    assert "Line 7" in str(caught.value)
    assert "secret" not in str(caught.value).lower()
