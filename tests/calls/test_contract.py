"""The contract suite for plugin authors: over every call type that is registered, and itself."""

from __future__ import annotations

import itertools
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from target_pipelines import ID, CallType, call_schema, object_of
from target_pipelines.api.errors import PluginError
from target_pipelines.plugins.loading import load_plugins
from target_pipelines.testing import check_call_type, get_call_type_test_class

CALL_TYPES = load_plugins().call_types
COMMON: dict[str, Any] = {
    "timestamp": 1735689600.5,
    "context.ip": "192.0.2.1",
    "context.page.keywords": '["a"]',
    "integrations.All": False,
    "anything_else": 0.1,
}
ROWS: dict[str, dict[str, Any]] = {
    "alias": {"userId": 1, "previousId": "a"},
    "group": {"groupId": 1, "userId": 2, "objectTypeId": 1, "traits.name": "n", "employees": 7},
    "identify": {"userId": 1, "email": "z@example.com", "createdAt": 1, "traits": '{"a": 1}'},
    "page": {"userId": 1, "name": "n", "category": "c", "properties.url": "u"},
    "screen": {"anonymousId": 1, "name": "n", "context.device.type": "ios"},
    "track": {"userId": 1, "event": "e", "properties": {"items": [1.5]}, "price": 12.5},
}


def test_every_registered_call_type_runs_the_contract():
    """A further built-in call type needs its own row in this file."""
    assert sorted(ROWS) == CALL_TYPES.names()


TestAlias = get_call_type_test_class(CALL_TYPES["alias"], rows=[COMMON | ROWS["alias"]])
TestGroup = get_call_type_test_class(CALL_TYPES["group"], rows=[COMMON | ROWS["group"]])
TestIdentify = get_call_type_test_class(CALL_TYPES["identify"], rows=[COMMON | ROWS["identify"]])
TestPage = get_call_type_test_class(CALL_TYPES["page"], rows=[COMMON | ROWS["page"]])
TestScreen = get_call_type_test_class(CALL_TYPES["screen"], rows=[COMMON | ROWS["screen"]])
TestTrack = get_call_type_test_class(CALL_TYPES["track"], rows=[COMMON | ROWS["track"]])

ROW: dict[str, Any] = {"userId": 1, "items": [3, 1, 2], "ref": "r"}
GOOD = CallType(
    name="wave",
    summary="hello",
    sends_as="track",
    extra_columns="properties",
    schema=call_schema(
        {"userId": ID, "event": ID, "properties": object_of({})}, required=["userId"]
    ),
    build=lambda call: {**call, "event": "Waved"},
)
COUNTER = itertools.count()


def _sort_in_place(call):
    call.get("properties", {}).get("items", []).sort(key=str)
    return call


def _tell_the_value(call):
    ref = call.get("properties", {}).get("ref")
    return {**call, "integrations": {"ref" if ref == "r" else str(ref): ref == "r" or "no"}}


def _shout(call):
    return {**call, "event": call.get("properties", {}).get("ref", "").upper()}


def _filter(call):
    return call if "ref" in call["properties"] else None


BAD = {
    "capital name": ({"name": "Wave"}, "name of small letters"),
    "no name": ({"name": None}, "name of small letters"),
    "no JSON": ({"build": lambda call: {**call, "event": object()}}, "that is no JSON"),
    "two-line summary": ({"summary": "a\nb"}, "summary of one line"),
    "unknown wire name": ({"sends_as": "wave"}, 'is sent as "wave"'),
    "no wire name": ({"sends_as": None}, 'is sent as "wave"'),
    "schema of anything": ({"schema": {}}, 'schema of "type": "object"'),
    "no container": ({"extra_columns": "traits"}, "puts other columns in `traits`"),
    "filters all": ({"build": lambda call: None}, "filtered an example row out"),
    "breaks its schema": ({"build": lambda call: {"type": "track"}}, "example row: The call lacks"),
    "other type": ({"build": lambda call: {**call, "type": "page"}}, "whose `type` is not"),
    "counts": ({"build": lambda call: {**call, "event": str(next(COUNTER))}}, "two calls of one"),
    "needs a column": ({"build": lambda call: call | {"e": call["userId"]}}, "raised KeyError"),
    "needs a text": ({"build": _shout}, "raised AttributeError with NULL in `ref`"),
    "needs some column": ({"build": _filter}, "raised KeyError without any column"),
    "returns a list": ({"build": lambda call: [call]}, "`build` returned a list"),
    "sorts in place": ({"build": _sort_in_place}, "changed the row's own values"),
    "value as a key": ({"build": _tell_the_value}, "shows the value as reason"),
}


def test_good_call_type_passes():
    """What the bad ones below are made of keeps the contract."""
    check_call_type(GOOD, [ROW])


@pytest.mark.parametrize(("change", "complaint"), BAD.values(), ids=list(BAD))
def test_breach_of_the_contract_is_found(change, complaint):
    """Each promise is looked at: the message names the call type and what is wrong."""
    bad = replace(GOOD, **change)

    with pytest.raises(AssertionError, match=complaint) as caught:
        check_call_type(bad, [ROW])

    assert f'Call type "{bad.name}"' in str(caught.value)


def test_faulty_schema_is_found():
    """The schema is checked as it is when the plugin is loaded."""
    with pytest.raises(PluginError, match="a faulty JSON Schema"):
        check_call_type(replace(GOOD, schema={"type": "x"}), [ROW])


SCHEMAS = {
    "closed": ({"additionalProperties": False}, "has unknown keys: type; known are none"),
    "choice": ({"anyOf": [{"minProperties": 9}, {"maxProperties": 0}]}, "violates the rule"),
}


@pytest.mark.parametrize(("schema", "complaint"), SCHEMAS.values(), ids=list(SCHEMAS))
def test_every_schema_that_rejects_has_words(schema, complaint):
    """Whatever keywords a schema uses, a row that it refuses is no exception."""
    strict = replace(GOOD, extra_columns=None, schema={"type": "object", **schema}, build=None)

    with pytest.raises(AssertionError, match=f"rejected an example row: The call {complaint}"):
        check_call_type(strict, [ROW])


def test_examples_are_asked_for():
    """A suite without rows would see nothing."""
    with pytest.raises(AssertionError, match="no example rows"):
        check_call_type(GOOD, [])
    with pytest.raises(ValueError, match="no example rows"):
        get_call_type_test_class(GOOD, rows=[])


def test_pytest_is_no_dependency_of_the_product():
    """The checks can be imported where there is no pytest."""
    program = "import sys; sys.modules['pytest'] = None; import target_pipelines.testing"

    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
