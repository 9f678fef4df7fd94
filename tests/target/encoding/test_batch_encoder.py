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
from target_pipelines.destinations import customerio, segment
from target_pipelines.encoding.batch_encoder import compile_batch_encoder
from target_pipelines.encoding.encoder import StreamEncoder
from target_pipelines.encoding.fallback import Fallback
from target_pipelines.plugins.loading import load_plugins
from target_pipelines.singer.streams import Stream

PLUGINS = load_plugins()
NAMES_OF_CALLS = PLUGINS.call_types.names()
EVENTS = {"User Deleted": {"required": ["anonymousId"]}}
TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["", " ", "\t", "\u00a0", "\u200b", "a ", "iOS", "WEB", "2026-01-02T03:04:05Z"]
    ),
)
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
    *("integrations.All", "integrations.Some.Vendor", "relationshipAttributes.role"),
    *("context.channel", "context.device.type", "_sdc_batched_at", "_sdc_deleted_at"),
)


def _stream(call_type: CallType, columns: dict[str, str], keys: frozenset[str]) -> Stream:
    return Stream(
        name="s",
        call_type=call_type,
        plugin="p",
        keys=keys,
        last_sync_time=1,
        sync_time=2,
        columns=columns,
    )


def _encoder(stream: Stream, null_values: str, limits: Any = None) -> StreamEncoder:
    return StreamEncoder(
        stream,
        settings=TargetSettings(null_values=null_values),
        call_max_bytes=400,
        event_schemas=EVENTS,
        call_schema=limits,
    )


def _line(record: dict[str, Any]) -> bytes:
    return b'{"type":"RECORD","stream":"s","record":%b}\n' % encode_json(record)


@st.composite
def _tables(draw: st.DrawFn) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Columns with their JSON types, and rows, some of which lack columns."""
    types = draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from([*VALUES]), min_size=1))
    types.setdefault("userId", "integer")
    types.setdefault("event", "string")
    values = [st.one_of(st.none(), VALUES[kind], VALUES[kind]) for kind in types.values()]
    rows = draw(st.lists(st.tuples(*values), min_size=1, max_size=5))
    no_column: st.SearchStrategy[set[str]] = st.just(set())
    missing = no_column | st.sets(st.sampled_from([*types]), max_size=2)
    return types, [_without(dict(zip(types, row, strict=True)), draw(missing)) for row in rows]


def _without(row: dict[str, Any], missing: set[str]) -> dict[str, Any]:
    return {column: value for column, value in row.items() if column not in missing}


def _plain(encoded: Any) -> Any:
    if isinstance(encoded, EncodedCall):
        return (
            encoded.body,
            encoded.ordering_key,
            encoded.call_type,
            encoded.line,
            encoded.position,
        )
    return encoded


@pytest.mark.parametrize("value", [None, "2026-01-02", 7, [1]])
def test_metadata_of_other_taps_is_left_out_of_blocks(value):
    """`_sdc_*` columns are no traits, whatever they hold."""
    stream = _stream(PLUGINS.call_types["identify"], {}, frozenset())
    lines = [_line({"userId": "1", "plan": "a", "_sdc_batched_at": value})] * 3

    block = _encoder(stream, "send", None).encode_block(b"".join(lines), 0)

    for encoded in block or []:
        assert isinstance(encoded, EncodedCall)
        assert b"_sdc_" not in encoded.body
    assert block or value == [1]


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(NAMES_OF_CALLS),
    _tables(),
    st.booleans(),
    st.integers(0, 2),
    st.booleans(),
    st.sampled_from([None, customerio.PROFILE.call_schema, segment.PROFILE.call_schema]),
)
def test_block_encodes_as_single_records(name, table, sends_null, keys, has_types, limits):
    """Bodies, messageIds, ordering keys and rejections are the same for any columns and values."""
    types, rows = table
    stream = _stream(
        PLUGINS.call_types[name],
        types if has_types else {},
        frozenset(list(types)[:keys]),
    )
    null_values = "send" if sends_null else "omit"
    lines = [_line(row) for row in rows]
    one_by_one = _encoder(stream, null_values, limits)
    expected = [
        one_by_one.encode(decode_object(line)["record"], 0, line, position)
        for position, line in enumerate(lines)
    ]

    block = _encoder(stream, null_values, limits).encode_block(b"".join(lines), 0)

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


def _compile(
    call_type: CallType = PLUGINS.call_types["track"],
    columns: dict[str, str] = COLUMNS,
    keys: frozenset[str] = frozenset(),
    null_values: str = "omit",
) -> Any:
    return compile_batch_encoder(
        _stream(call_type, columns, keys),
        columns,
        null_values=null_values,
        events=EVENTS,
        call_max_bytes=300,
    )


def test_usual_rows_are_encoded_in_the_block():
    """Rows of the usual types, nulls included, need no fallback."""
    lines = [_line(ROW), _line({**ROW, "city": None, "score": None, "context.ip": None})]

    encoded = _compile().encode(b"".join(lines))

    first, second = encoded.bodies
    assert first == (
        b'{"type":"track","userId":"7","event":"Bought","timestamp":"2026-01-02T03:04:05Z",'
        b'"context":{"ip":"::1"},"properties":{"city":"Z\xc3\xbcrich","score":12.3400,'
        b'"active":true,"count":1000000000000}}'
    )
    assert second.endswith(b'"properties":{"active":true,"count":1000000000000}}')
    assert (encoded.ordering_keys, encoded.fallbacks) == (["7", "7"], {})


KEPT = ("city", "score", "active", "count")


@pytest.mark.parametrize(
    ("null_values", "end"),
    [
        ("omit", b'"context":{"ip":"::1"}}'),
        ("send", b'"properties":{"city":null,"score":null,"active":null,"count":null}}'),
    ],
)
def test_row_of_nulls_has_no_empty_object(null_values, end):
    """Properties that are all null are left out with their object, or are all sent."""
    encoded = _compile(null_values=null_values).encode(_line(ROW | dict.fromkeys(KEPT)))

    assert encoded.fallbacks == {}
    assert encoded.bodies[0].endswith(end)


RECORDS = {
    Fallback.MISSING_COLUMN: {"context.ip": ...},
    Fallback.EVENT_SCHEMA: {"event": "User Deleted"},
    Fallback.INVALID_CALL: {"timestamp": "yesterday"},
    Fallback.TOO_LARGE: {"city": "x" * 300},
}


@pytest.mark.parametrize(("fallback", "changed"), RECORDS.items(), ids=str)
def test_single_record_falls_back(fallback, changed):
    """The row encoder gets a record that the block cannot encode, and no other one."""
    row = {column: value for column, value in (ROW | changed).items() if value is not ...}

    encoded = _compile().encode(_line(ROW) + _line(row) + _line(ROW))

    assert encoded.fallbacks == {1: fallback}
    assert encoded.bodies[0] == encoded.bodies[2]


def test_repeats_are_numbered_in_row_order():
    """Of two equal events the first has the plain id, whichever encoder encodes it."""
    lines = [_line(_without(ROW, {"context.ip"})), _line(ROW | {"context.ip": None})]
    stream = _stream(PLUGINS.call_types["track"], COLUMNS, frozenset())
    one_by_one = _encoder(stream, "omit")
    expected = [
        one_by_one.encode(decode_object(line)["record"], 0, line, position)
        for position, line in enumerate(lines)
    ]

    block = _encoder(stream, "omit").encode_block(b"".join(lines), 0)

    assert block is not None
    assert [_plain(call) for call in block] == [_plain(call) for call in expected]


def test_null_in_a_key_falls_back():
    """A key has no default that would leave it out."""
    encoded = _compile(keys=frozenset(["score"])).encode(_line(ROW | {"score": None}))

    assert encoded.fallbacks == {0: Fallback.NULL_KEY}


def test_two_columns_of_one_object_fall_back():
    """Whether they conflict depends on the values."""
    columns = {"context": "", **COLUMNS}

    encoded = _compile(columns=columns).encode(_line({"context": "x", **ROW}))

    assert encoded.fallbacks == {0: Fallback.OBJECT_CONFLICT}


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"RECORD","stream":"s","record":{"userId":1,"event":"e","new":1}}\n',
        b'{"type":"RECORD","stream":"s","record":{"userId":1,"event":"e","score":01}}\n',
        b'{"type":"RECORD","stream":"s","record":{"userId":1,"event":"e","score":"\xff"}}\n',
        b'{"type":"RECORD","stream":"s","record":{"userId":1,"event":"e"\n',
        b'{"type":"RECORD","stream":"t","record":{"userId":1,"event":"e"}}\n',
    ],
    ids=["unknown column", "not JSON", "not UTF-8", "truncated", "other stream"],
)
def test_block_that_is_not_decodable_falls_back(line):
    """The row encoder can tell which line is wrong."""
    assert _compile().encode(_line(ROW) + line) is Fallback.NOT_DECODABLE


def test_missing_key_is_not_taken_for_null():
    """A record without its key is an error; one whose key is null is not."""
    encoder = _compile(keys=frozenset(["count"]))

    assert encoder.encode(_line(_without(ROW, {"count"}))) is Fallback.NOT_DECODABLE


def test_missing_key_of_the_first_record_is_noticed():
    """Its columns make the struct, which would not ask for the key."""
    assert _compile(columns=_without(COLUMNS, {"count"}), keys=frozenset(["count"])) is (
        Fallback.MISSING_KEY
    )


def test_fallback_reaches_the_caller():
    """The stream encoder asks for records one by one, now and for later blocks."""
    encoder = _encoder(_stream(_call_type(extra_columns=None), {}, frozenset()), "omit")

    assert encoder.encode_block(_line(ROW), 0) is None
    assert encoder.encode_block(_line(ROW), 0) is None


def _call_type(**changes: Any) -> CallType:
    schema = call_schema({"userId": {"type": "string"}, "properties": {"type": "object"}})
    about = {"name": "t", "summary": "", "extra_columns": "properties", "schema": schema}
    return CallType(**{**about, **changes})


CALL_TYPES = {
    "build": (_call_type(build=lambda call: call), Fallback.BUILD),
    "no container": (_call_type(extra_columns=None), Fallback.NO_CONTAINER),
    "counts members": (
        _call_type(schema={**_call_type().schema, "maxProperties": 3}),
        Fallback.STRICT_SCHEMA,
    ),
    "refuses members": (
        _call_type(schema={"properties": {"properties": {"additionalProperties": False}}}),
        Fallback.STRICT_SCHEMA,
    ),
    "not": (_call_type(schema={"anyOf": [{"not": {"required": ["x"]}}]}), Fallback.STRICT_SCHEMA),
}


@pytest.mark.parametrize(("call_type", "fallback"), CALL_TYPES.values(), ids=list(CALL_TYPES))
def test_call_type_that_needs_the_whole_call_falls_back(call_type, fallback):
    """A `build`, or a schema that any column may violate, needs the whole call."""
    assert _compile(call_type) is fallback


PLANS = [
    (["traits.email", "email"], Fallback.COLUMN_CONFLICT),
    (["userId", 'quo"te'], Fallback.COLUMN_NAME),
    (["userId", "Email", "email"], Fallback.COLUMN_NAME),
    (["userId", "plan", "messageId"], Fallback.OWN_MESSAGE_ID),
    (["userId"], Fallback.RESHAPED_CONTAINER),
    (["userId", "traits", "plan"], Fallback.RESHAPED_CONTAINER),
    (["userId", "traits.a.b", "plan"], Fallback.RESHAPED_CONTAINER),
    (["userId", "EMAIL"], Fallback.RESHAPED_CONTAINER),
]


@pytest.mark.parametrize("described", [[], ["note"], ["userId", "note"]], ids=str)
@pytest.mark.parametrize("row", [{"userId": 1, "note": "a", "event": "b"}, ROW])
def test_calls_do_not_depend_on_what_a_schema_describes(described, row):
    """A SCHEMA with some of the columns changes neither calls nor messageIds."""
    line, types = _line(row), dict.fromkeys(described, "")
    plain = _encoder(_stream(PLUGINS.call_types["track"], {}, frozenset()), "omit")
    encoder = _encoder(_stream(PLUGINS.call_types["track"], types, frozenset()), "omit")
    (expected,) = plain.encode_block(line, 0) or [plain.encode(row, 0, line)]

    (call,) = encoder.encode_block(line, 0) or [encoder.encode(row, 0, line)]

    assert _plain(call) == _plain(expected)


@pytest.mark.parametrize(("columns", "fallback"), PLANS, ids=str)
def test_columns_that_change_the_container_fall_back(columns, fallback):
    """The struct has one level, the columns' own names, and no column that may replace another."""
    identify = PLUGINS.call_types["identify"]

    assert _compile(identify, dict.fromkeys(columns, "string")) is fallback
