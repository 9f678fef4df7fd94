from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from program_kit.exact_json import decode_object, encode_json
from target_pipelines import CallType, call_schema
from target_pipelines.api.calls import EncodedCall
from target_pipelines.api.settings import TargetSettings
from target_pipelines.encoding.batch_encoder import compile_block_plan
from target_pipelines.encoding.encoder import StreamEncoder
from target_pipelines.plugins.loading import load_plugins
from target_pipelines.singer.streams import Stream

PLUGINS = load_plugins()
NAMES_OF_CALLS = PLUGINS.call_types.names()
EVENTS = {"User Deleted": {"required": ["anonymousId"]}}
TEXTS = st.one_of(st.text(max_size=8), st.sampled_from(["", " ", "a ", "2026-01-02T03:04:05Z"]))
NUMBERS = st.sampled_from(["1.50", "1e16", "-0.0", "1E-7", "12345678901234567890.123", "0.10"])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXTS,
    "integer": st.one_of(st.integers(-5, 5), st.integers(-(10**25), 10**25)),
    "boolean": st.booleans(),
    "number": st.one_of(NUMBERS.map(Decimal), st.integers(-5, 5)),
    "object": st.dictionaries(TEXTS, TEXTS, max_size=2),
    "": st.one_of(TEXTS, st.integers(-5, 5), st.lists(st.integers(0, 2), max_size=2)),
}
NAMES = (
    *("userId", "anonymousId", "groupId", "previousId", "event", "name", "timestamp", "messageId"),
    *("email", "createdAt", "category", "objectTypeId", "traits", "properties", "context.ip"),
    *("context.campaign.name", "properties.total", "Plan", "plan", 'quo"te', "ünï", "Email"),
)


def _stream(call_type: CallType, columns: dict[str, str], keys: frozenset[str]) -> Stream:
    return Stream(
        name="s", call_type=call_type, plugin="p", keys=keys, last_sync_time=1, columns=columns
    )


def _encoder(stream: Stream, null_values: str) -> StreamEncoder:
    return StreamEncoder(
        stream,
        settings=TargetSettings(null_values=null_values),
        call_max_bytes=400,
        event_schemas=EVENTS,
    )


def _line(record: dict[str, Any]) -> bytes:
    return b'{"type":"RECORD","stream":"s","record":%b}\n' % encode_json(record)


@st.composite
def _tables(draw: st.DrawFn) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Columns with their JSON types, and rows."""
    types = draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from([*VALUES]), min_size=1))
    types.setdefault("userId", "integer")
    types.setdefault("event", "string")
    values = [st.one_of(st.none(), VALUES[kind], VALUES[kind]) for kind in types.values()]
    rows = draw(st.lists(st.tuples(*values), min_size=1, max_size=5))
    return types, [dict(zip(types, row, strict=True)) for row in rows]


def _plain(encoded: Any) -> Any:
    if isinstance(encoded, EncodedCall):
        return encoded.body, encoded.ordering_key, encoded.call_type, encoded.line
    return encoded


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(NAMES_OF_CALLS), _tables(), st.booleans(), st.booleans(), st.booleans())
def test_block_gives_what_single_records_give(name, table, sends_null, is_keyed, says_types):
    """Same bodies, messageIds, persons and rejections, whatever the columns and the values."""
    types, rows = table
    stream = _stream(
        PLUGINS.call_types[name],
        types if says_types else {},
        frozenset(list(types)[:1]) if is_keyed else frozenset(),
    )
    null_values = "send" if sends_null else "omit"
    lines = [_line(row) for row in rows]
    one_by_one = _encoder(stream, null_values)
    expected = [one_by_one.encode(decode_object(line)["record"], 0, line) for line in lines]

    block = _encoder(stream, null_values).encode_block(b"".join(lines), 0)

    if block is not None:
        assert [_plain(item) for item in block] == [_plain(item) for item in expected]


COLUMNS = {
    "userId": "integer",
    "event": "string",
    "timestamp": "string",
    "city": "string",
    "score": "number",
    "active": "boolean",
    "count": "integer",
    "context.ip": "string",
}
ROW = {
    "userId": 7,
    "event": "Bought",
    "timestamp": "2026-01-02T03:04:05Z",
    "city": "Zürich",
    "score": Decimal("12.3400"),
    "active": True,
    "count": 10**12,
    "context.ip": "::1",
}


def _plan(columns: dict[str, str] = COLUMNS, **changes: Any) -> Any:
    options = {"keys": (), "null_values": "omit", "events": (), **changes}
    return compile_block_plan(
        PLUGINS.call_types["track"], tuple(columns), stream="s", column_types=columns, **options
    )


def test_usual_rows_take_the_fast_way():
    """Rows of the usual types, nulls included, are mapped in the block."""
    lines = [_line(ROW), _line({**ROW, "city": None, "score": None, "context.ip": None})]

    (first, second), people = _plan().map(b"".join(lines))

    assert first == (
        b'{"type":"track","userId":"7","event":"Bought","timestamp":"2026-01-02T03:04:05Z",'
        b'"context":{"ip":"::1"},"properties":{"city":"Z\xc3\xbcrich","score":12.3400,'
        b'"active":true,"count":1000000000000}}'
    )
    assert people == ["7", "7"]
    assert second.endswith(b'"properties":{"active":true,"count":1000000000000}}')


@pytest.mark.parametrize(
    "changed",
    [{"userId": None}, {"event": ""}, {"timestamp": "yesterday"}, {"event": "User Deleted"}],
    ids=["no person", "no event", "no timestamp", "closer checks"],
)
def test_unfit_row_is_left_to_the_other_way(changed):
    """A row that breaks the schema is left out of the block; the others are not."""
    lines = [_line(ROW), _line({**ROW, **changed}), _line(ROW)]
    (fit, unfit, last), _ = _plan(events=EVENTS).map(b"".join(lines))

    assert unfit == b""
    assert fit == last
    assert fit


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"RECORD","stream":"s","record":{"userId":1,"event":"e","new":1}}\n',
        b'{"type":"RECORD","stream":"s","record":{"userId":1,"event":"e","score":01}}\n',
        b'{"type":"RECORD","stream":"s","record":{"userId":1,"event":"e","score":"\xff"}}\n',
        b'{"type":"RECORD","stream":"s","record":{"userId":1,"event":"e"\n',
    ],
    ids=["an unknown column", "no JSON", "no UTF-8", "cut off"],
)
def test_block_with_a_strange_line_goes_one_by_one(line):
    """A line that the struct cannot hold is for the way that can say what is wrong."""
    encoder = _encoder(_stream(PLUGINS.call_types["track"], COLUMNS, frozenset()), "omit")

    assert encoder.encode_block(_line(ROW) + line, 0) is None


def _call_type(**changes: Any) -> CallType:
    schema = call_schema({"userId": {"type": "string"}, "properties": {"type": "object"}})
    about = {"name": "t", "summary": "", "extra_columns": "properties", "schema": schema}
    return CallType(**{**about, **changes})


@pytest.mark.parametrize(
    "call_type",
    [
        _call_type(build=lambda call: call),
        _call_type(extra_columns=None),
        _call_type(schema={**_call_type().schema, "maxProperties": 3}),
        _call_type(schema={"properties": {"properties": {"additionalProperties": False}}}),
        _call_type(schema={"anyOf": [{"not": {"required": ["x"]}}]}),
    ],
    ids=["build", "no container", "counts members", "refuses members", "not"],
)
def test_call_type_that_looks_at_everything_has_no_fast_way(call_type):
    """A schema that any column may break, or `build`, needs the whole call."""
    columns = {"userId": "integer", "city": "string"}

    plan = compile_block_plan(
        call_type,
        tuple(columns),
        stream="s",
        column_types=columns,
        keys=(),
        null_values="omit",
        events=(),
    )

    assert plan is None


def test_missing_key_is_not_taken_for_null():
    """A record without its key must be told from one whose key is null."""
    encoder = _encoder(_stream(PLUGINS.call_types["track"], COLUMNS, frozenset(["count"])), "omit")
    without = {name: value for name, value in ROW.items() if name != "count"}

    assert encoder.encode_block(_line(ROW) + _line(without), 0) is None
