from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
import target_pipelines_calls
from jsonschema_rs import validator_for

from target_pipelines.api.calls import EncodedCall
from target_pipelines.encoding.mapping import Mapper
from target_pipelines.testing.call_types import encode_row
from tests.calls.golden_files import CALL_TYPES, GOLDEN, NAMES

CALLS = Path(target_pipelines_calls.__path__[0])
MINIMAL = {name: golden["minimal"] for name, golden in GOLDEN.items()}


def _is_valid(name: str, call: dict[str, Any]) -> bool:
    call_type = CALL_TYPES[name]
    validator = validator_for(dict(call_type.schema), validate_formats=True)
    return validator.is_valid({"type": call_type.api_type, **call})


def test_every_call_type_has_a_golden_file():
    """And each golden file has its call type."""
    files = Path(__file__).with_name("golden").glob("*.json")

    assert sorted(file.stem for file in files) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_row_becomes_the_call_of_the_golden_file(name):
    """The example row, with every column of interest, becomes exactly this call."""
    encoded = encode_row(CALL_TYPES[name], GOLDEN[name]["row"])

    assert isinstance(encoded, EncodedCall)
    call = json.loads(encoded.body)
    del call["messageId"]
    assert call == GOLDEN[name]["call"]


@pytest.mark.parametrize("name", NAMES)
def test_call_with_its_required_fields_is_valid(name):
    """The required fields are enough."""
    assert _is_valid(name, MINIMAL[name])


@pytest.mark.parametrize(
    ("name", "field"), [(name, field) for name in NAMES for field in MINIMAL[name]]
)
@pytest.mark.parametrize("change", ["missing", "empty", "number"])
def test_required_field_must_be_a_string(name, field, change):
    """Without the field, or with another type, the call is invalid."""
    call = {key: value for key, value in MINIMAL[name].items() if key != field}
    if change != "missing":
        call[field] = "" if change == "empty" else 7

    assert not _is_valid(name, call)


@pytest.mark.parametrize("name", ["identify", "track", "page", "screen"])
def test_anonymous_id_is_enough(name):
    """A person may have an anonymousId only."""
    call = {key: value for key, value in MINIMAL[name].items() if key != "userId"}

    assert _is_valid(name, {**call, "anonymousId": "a"})


def test_email_identifies_a_person():
    """Identify needs no id if there is an email address."""
    assert _is_valid("identify", {"traits": {"email": "a@example.com"}})


FIELDS = {
    "channel as number": {"context": {"channel": 1}},
    "active as text": {"context": {"active": "yes"}},
    "keywords as text": {"context": {"page": {"keywords": "a,b"}}},
    "keywords of numbers": {"context": {"page": {"keywords": [1]}}},
    "campaign as text": {"context": {"campaign": "x"}},
    "ip as number": {"context": {"ip": 1}},
    "integration as text": {"integrations": {"All": "no"}},
    "timestamp as number": {"timestamp": 1735689600},
    "timestamp as words": {"timestamp": "yesterday"},
    "timestamp without an offset": {"timestamp": "2025-01-01T00:00:00"},
    "long messageId": {"messageId": "x" * 101},
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fields", FIELDS.values(), ids=list(FIELDS))
def test_common_field_of_the_wrong_type_is_invalid(name, fields):
    """The common fields of all calls have the types of the API's field tables."""
    assert not _is_valid(name, {**MINIMAL[name], **fields})


@pytest.mark.parametrize("name", NAMES)
def test_common_fields_are_accepted(name):
    """Every call accepts the fields of the API's field tables, and further keys."""
    context = {
        "active": True,
        "channel": "server",
        "ip": "::1",
        "locale": "en-US",
        "userAgent": "x",
        "campaign": {"name": "n", "code": "further"},
        "page": {"keywords": ["a"], "url": "u"},
        "further": 1,
    }
    timestamp = "2025-01-01T00:00:00.123456Z"
    call = {"context": context, "integrations": {"All": False, "X": {}}, "timestamp": timestamp}

    assert _is_valid(name, {**MINIMAL[name], **call})


SCREEN_FIELDS = {
    "device type as number": {"device": {"type": 1}},
    "wifi as number": {"network": {"wifi": 1}},
    "os as text": {"os": "x"},
}


@pytest.mark.parametrize("fields", SCREEN_FIELDS.values(), ids=list(SCREEN_FIELDS))
def test_screen_knows_devices(fields):
    """Fields of devices have the types of the API's field tables."""
    assert not _is_valid("screen", {**MINIMAL["screen"], "context": fields})


def test_screen_accepts_devices():
    """A complete device is valid."""
    device = {"type": "android", "id": "x", "version": "1"}
    context = {"device": device, "network": {"wifi": True}, "os": {"name": "n"}, "app": {}}

    assert _is_valid("screen", {**MINIMAL["screen"], "context": context})


def test_object_type_is_a_string():
    """Object type ids are stringified integers."""
    assert not _is_valid("group", {"groupId": "1", "objectTypeId": 1})
    assert _is_valid("group", {"groupId": "1", "objectTypeId": "1"})


@pytest.mark.parametrize("name", NAMES)
def test_number_columns_make_a_valid_call(name):
    """Numbers in columns are converted to what the schema of the call type accepts."""
    record = dict.fromkeys(MINIMAL[name], 42) | {"timestamp": 1735689600, "context.active": 1}

    call = Mapper(CALL_TYPES[name], null_values="omit").map(record)

    assert call is not None
    assert _is_valid(name, call)


@pytest.mark.parametrize("path", sorted(CALLS.glob("*.py")), ids=lambda path: path.stem)
def test_call_type_imports_the_public_api_only(path):
    """The built-in plugins import what any plugin may import."""
    nodes = ast.walk(ast.parse(path.read_text()))
    imported = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}

    assert imported <= {"__future__", "collections.abc", "typing", "target_pipelines"}
