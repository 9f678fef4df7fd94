"""The contract suite for call types, run over every built-in call type, and its own tests."""

from __future__ import annotations

import itertools
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from target_pipelines import ID, CallType, call_schema, object_of
from target_pipelines.api.errors import PluginError
from target_pipelines.testing import check_call_type, get_call_type_test_class
from tests.calls.golden_files import CALL_TYPES, GOLDEN, NAMES

for _name in NAMES:
    globals()[f"Test{_name.title()}"] = get_call_type_test_class(
        CALL_TYPES[_name], rows=[GOLDEN[_name]["row"]]
    )

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


def _use_text(call):
    return {**call, "event": call.get("properties", {}).get("ref", "").upper()}


def _require_column(call):
    return call if "ref" in call["properties"] else None


BAD = {
    "capital name": ({"name": "Wave"}, "name of lower-case letters"),
    "no name": ({"name": None}, "name of lower-case letters"),
    "not JSON": ({"build": lambda call: {**call, "event": object()}}, "that is not JSON"),
    "two-line summary": ({"summary": "a\nb"}, "summary of one line"),
    "unknown API type": ({"sends_as": "wave"}, 'is sent as "wave"'),
    "no API type": ({"sends_as": None}, 'is sent as "wave"'),
    "schema of anything": ({"schema": {}}, 'schema of "type": "object"'),
    "no container": ({"extra_columns": "traits"}, "puts other columns in `traits`"),
    "filters out all rows": ({"build": lambda call: None}, "filtered out an example row"),
    "breaks its schema": ({"build": lambda call: {"type": "track"}}, "example row: The call lacks"),
    "other type": ({"build": lambda call: {**call, "type": "page"}}, "whose `type` is not"),
    "counts": (
        {"build": lambda call: {**call, "event": str(next(COUNTER))}},
        "different calls of one",
    ),
    "needs a column": ({"build": lambda call: call | {"e": call["userId"]}}, "raised KeyError"),
    "needs a text": ({"build": _use_text}, "raised AttributeError with NULL in `ref`"),
    "needs some column": ({"build": _require_column}, "raised KeyError without any column"),
    "returns a list": ({"build": lambda call: [call]}, "`build` returned a list"),
    "sorts in place": ({"build": _sort_in_place}, "changed the row's own values"),
}


def test_good_call_type_passes():
    """The call type that the faulty ones are derived from keeps the contract."""
    check_call_type(GOOD, [ROW])


@pytest.mark.parametrize(("change", "complaint"), BAD.values(), ids=list(BAD))
def test_breach_of_the_contract_is_found(change, complaint):
    """Each promise is checked: the message names the call type and the problem."""
    bad = replace(GOOD, **change)

    with pytest.raises(AssertionError, match=complaint) as caught:
        check_call_type(bad, [ROW])

    assert f'Call type "{bad.name}"' in str(caught.value)


def test_invalid_schema_is_found():
    """The schema is checked as when the plugin is loaded."""
    with pytest.raises(PluginError, match="an invalid JSON Schema"):
        check_call_type(replace(GOOD, schema={"type": "x"}), [ROW])


SCHEMAS = {
    "closed": ({"additionalProperties": False}, "has unknown keys; known are none"),
    "choice": ({"anyOf": [{"minProperties": 9}, {"maxProperties": 0}]}, "fits none of"),
}


@pytest.mark.parametrize(("schema", "complaint"), SCHEMAS.values(), ids=list(SCHEMAS))
def test_every_rejection_has_a_reason(schema, complaint):
    """Whatever keywords a schema uses, a rejected row has a reason and raises no other error."""
    strict = replace(GOOD, extra_columns=None, schema={"type": "object", **schema}, build=None)

    with pytest.raises(AssertionError, match=f"rejected an example row: The call {complaint}"):
        check_call_type(strict, [ROW])


def test_example_rows_are_required():
    """A suite without rows would check nothing."""
    with pytest.raises(AssertionError, match="no example rows"):
        check_call_type(GOOD, [])
    with pytest.raises(ValueError, match="no example rows"):
        get_call_type_test_class(GOOD, rows=[])


def test_pytest_is_not_a_dependency():
    """The checks can be imported without pytest."""
    program = "import sys; sys.modules['pytest'] = None; import target_pipelines.testing"

    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
