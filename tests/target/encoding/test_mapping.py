from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from target_pipelines_calls.alias import ALIAS
from target_pipelines_calls.group import GROUP
from target_pipelines_calls.identify import IDENTIFY
from target_pipelines_calls.page import PAGE
from target_pipelines_calls.screen import SCREEN
from target_pipelines_calls.track import TRACK

from target_pipelines import CallType, call_schema
from target_pipelines.encoding.mapping import Mapper, MappingProblem


def _map(call_type: CallType, record: dict[str, Any], null_values: str = "omit") -> Any:
    call = Mapper(call_type, null_values=null_values).map(record)
    return None if call is None else {k: v for k, v in call.items() if k != "type"}


CASES: list[tuple[str, CallType, dict[str, Any], dict[str, Any]]] = [
    (
        "vendors name integrations as they like",
        TRACK,
        {"integrations.All": 0, "integrations.Some.Vendor (v2)": "true", "integrations.X": "{}"},
        {"integrations": {"All": False, "Some.Vendor (v2)": True, "X": {}}},
    ),
    (
        "attributes of a relationship are one object",
        GROUP,
        {"relationshipAttributes.role": "admin", "traits.relationshipAttributes.since": 1},
        {"traits": {"relationshipAttributes": {"role": "admin", "since": 1}}},
    ),
    (
        "a trait with a dot is no object",
        IDENTIFY,
        {"plan.name": "a", "email.work": "b"},
        {"traits": {"plan.name": "a", "email.work": "b"}},
    ),
    (
        "columns of the extraction are no traits",
        IDENTIFY,
        {"userId": 1, "_sdc_extracted_at": "x", "_sdc_table_version": 2},
        {"userId": "1"},
    ),
    (
        "ids of blanks are no ids",
        IDENTIFY,
        {"userId": "\t \u00a0\u3000", "anonymousId": "\u200b", "groupId": " a "},
        {"traits": {"groupId": " a "}},
    ),
    ("an unknown column is a trait", IDENTIFY, {"plan": "a"}, {"traits": {"plan": "a"}}),
    ("an unknown column is a property", TRACK, {"plan": "a"}, {"properties": {"plan": "a"}}),
    ("name is known to page", PAGE, {"name": "a"}, {"name": "a"}),
    ("name is a trait of a group", GROUP, {"name": "a"}, {"traits": {"name": "a"}}),
    ("category is known to page", PAGE, {"category": "a"}, {"category": "a"}),
    (
        "category is a property of an event",
        TRACK,
        {"category": "a"},
        {"properties": {"category": "a"}},
    ),
    (
        "case is ignored",
        IDENTIFY,
        {"USERID": "1", "EMAIL": "e"},
        {"userId": "1", "traits": {"email": "e"}},
    ),
    (
        "the exact name has priority",
        IDENTIFY,
        {"userid": "2", "userId": "1"},
        {"userId": "1", "traits": {"userid": "2"}},
    ),
    (
        "context nests by dots",
        TRACK,
        {"context.campaign.name": "c"},
        {"context": {"campaign": {"name": "c"}}},
    ),
    (
        "unknown context nests too",
        TRACK,
        {"context.campaign.code": "c"},
        {"context": {"campaign": {"code": "c"}}},
    ),
    (
        "context is matched without case",
        TRACK,
        {"Context.UserAgent": "c"},
        {"context": {"userAgent": "c"}},
    ),
    ("integrations nest", TRACK, {"integrations.All": False}, {"integrations": {"All": False}}),
    ("traits nest by dots", IDENTIFY, {"traits.a.b": 1}, {"traits": {"a": {"b": 1}}}),
    ("properties nest by dots", SCREEN, {"properties.a.b": 1}, {"properties": {"a": {"b": 1}}}),
    ("other dots stay in the name", IDENTIFY, {"a.b": 1}, {"traits": {"a.b": 1}}),
    (
        "an object column and its parts merge",
        IDENTIFY,
        {"traits.a": 1, "traits": {"b": 2}},
        {"traits": {"b": 2, "a": 1}},
    ),
    ("JSON text becomes an object", TRACK, {"context": '{"ip":"::1"}'}, {"context": {"ip": "::1"}}),
    (
        "JSON text becomes an array",
        PAGE,
        {"context.page.keywords": '["a"]'},
        {"context": {"page": {"keywords": ["a"]}}},
    ),
    ("ids are text", IDENTIFY, {"userId": 42}, {"userId": "42"}),
    (
        "whole decimals have no point in ids",
        IDENTIFY,
        {"userId": Decimal("42.0")},
        {"userId": "42"},
    ),
    ("ids keep all digits", ALIAS, {"previousId": 2**70}, {"previousId": str(2**70)}),
    ("padding is not part of an id", IDENTIFY, {"userId": "a1   "}, {"userId": "a1"}),
    ("an empty id is left out", IDENTIFY, {"userId": "  "}, {}),
    ("a leading zero stays", IDENTIFY, {"userId": "007"}, {"userId": "007"}),
    ("bits become booleans", TRACK, {"context.active": 1}, {"context": {"active": True}}),
    ("bits of traits stay", IDENTIFY, {"vip": True, "n": 1}, {"traits": {"vip": True, "n": 1}}),
    ("objectTypeId is text", GROUP, {"objectTypeId": 2}, {"objectTypeId": "2"}),
    ("object_type_id is text", GROUP, {"object_type_id": 2}, {"traits": {"object_type_id": "2"}}),
    (
        "relationships are parsed",
        GROUP,
        {"relationshipAttributes": '{"role":"x"}'},
        {"traits": {"relationshipAttributes": {"role": "x"}}},
    ),
    ("NULL is left out", IDENTIFY, {"userId": "1", "a": None}, {"userId": "1"}),
    (
        "unix time becomes an instant",
        TRACK,
        {"timestamp": 1735689600},
        {"timestamp": "2025-01-01T00:00:00Z"},
    ),
    (
        "milliseconds too",
        TRACK,
        {"timestamp": 1735689600000},
        {"timestamp": "2025-01-01T00:00:00Z"},
    ),
    (
        "a time without an offset is UTC",
        TRACK,
        {"timestamp": "2025-01-01 01:02:03"},
        {"timestamp": "2025-01-01T01:02:03Z"},
    ),
    (
        "an offset stays",
        TRACK,
        {"timestamp": "2025-01-01T00:00:00+02:00"},
        {"timestamp": "2025-01-01T00:00:00+02:00"},
    ),
    ("a text that is not a date is unchanged", TRACK, {"timestamp": "soon"}, {"timestamp": "soon"}),
]


@pytest.mark.parametrize(
    ("call_type", "record", "call"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_column_reaches_its_field(call_type, record, call):
    """The column's name determines the field, and the field determines the value's type."""
    assert _map(call_type, record) == call


def test_null_traits_are_sent_on_request():
    """With `null_values: send` NULL clears a trait; an id that is NULL is left out."""
    record = {"userId": None, "email": None, "plan": None}

    assert _map(IDENTIFY, record, null_values="send") == {"traits": {"email": None, "plan": None}}


def test_unmapped_column_is_reported():
    """Alias has no traits: a further column is not sent, and the mapper lists it."""
    mapper = Mapper(ALIAS, null_values="omit")

    call = mapper.map({"userId": 1, "previousId": 2, "plan": "a"})

    assert call == {"type": "alias", "userId": "1", "previousId": "2"}
    assert mapper.unmapped == {"plan"}


@pytest.mark.parametrize("columns", [("email", "traits.email"), ("USERID", "Userid")])
def test_two_columns_of_one_field_are_a_problem(columns):
    """The message names both columns, and no value."""
    with pytest.raises(MappingProblem, match=rf"`{columns[0]}` and `{columns[1]}` both map to"):
        _map(IDENTIFY, dict.fromkeys(columns, "secret"))


def test_nesting_in_a_value_that_is_not_an_object_is_a_problem():
    """A column cannot nest inside another column's text."""
    with pytest.raises(MappingProblem, match=r"`context\.ip` belongs in `context`"):
        _map(TRACK, {"context": "text", "context.ip": "::1"})


def test_records_may_differ_in_their_columns():
    """Each record is mapped by its own columns, in any order."""
    mapper = Mapper(IDENTIFY, null_values="omit")

    calls = [mapper.map({"userId": 1, "a": 1}), mapper.map({"b": 2, "userId": 1})]

    assert [call and call["traits"] for call in calls] == [{"a": 1}, {"b": 2}]


def test_build_finishes_the_call():
    """A call type's `build` gets the mapped call and returns the call to send."""
    call_type = CallType(
        name="delete_person",
        sends_as="track",
        summary="",
        schema=call_schema({}),
        build=lambda call: {**call, "event": "User Deleted"},
    )

    assert _map(call_type, {}) == {"event": "User Deleted"}


def test_build_may_filter_a_row():
    """None from `build` filters the row out."""
    call_type = CallType(name="x", summary="", schema={}, build=lambda call: None)

    assert _map(call_type, {"a": 1}) is None


def test_build_must_return_a_call():
    """Any other result of `build` is a problem of that row."""
    build: Any = lambda call: [call]  # noqa: E731
    call_type = CallType(name="x", summary="", schema={}, build=build)

    with pytest.raises(MappingProblem, match="returned a list"):
        _map(call_type, {"a": 1})


def test_build_must_keep_the_type():
    """A call with another `type`, or none, is a problem of that row."""
    call_type = CallType(name="x", summary="", schema={}, build=lambda call: {"userId": "1"})

    with pytest.raises(MappingProblem, match='`type` is not "x"'):
        _map(call_type, {"a": 1})


@pytest.mark.parametrize(
    ("text", "value"),
    [('{"a": [1.50]}', {"a": [Decimal("1.50")]}), ("[1]", [1]), ("7", 7), ("{a", "{a"), (5, 5)],
)
def test_texts_of_json_columns_are_parsed(text, value):
    """Columns in `json_columns` become what their text says; others stay."""
    mapper = Mapper(IDENTIFY, null_values="omit", json_columns=["a", "absent"])

    call = mapper.map({"userId": "1", "a": text, "b": text})

    assert call is not None
    assert call["traits"] == {"a": value, "b": text}


def test_json_text_null_is_a_null():
    """As NULL is: omitted."""
    mapper = Mapper(IDENTIFY, null_values="omit", json_columns=["a"])

    assert mapper.map({"userId": "1", "a": "null"}) == {"type": "identify", "userId": "1"}
