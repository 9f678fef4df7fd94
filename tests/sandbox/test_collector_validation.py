from __future__ import annotations

from typing import Any

import orjson
import pytest

from sandbox.collector.validation import BATCH_MAX_BYTES, CALL_MAX_BYTES, validate_body

VALID: dict[str, dict[str, Any]] = {
    "identify": {"userId": "1", "traits": {"email": "a@example.com"}},
    "track": {"anonymousId": "a", "event": "Order Completed"},
    "page": {"userId": "1", "name": "Home"},
    "screen": {"userId": "1", "name": "Home"},
    "group": {"groupId": "g", "objectTypeId": "1"},
    "alias": {"userId": "1", "previousId": "0"},
}
REQUIRED = [
    ("identify", "userId"),
    ("track", "anonymousId"),
    ("track", "event"),
    ("page", "userId"),
    ("page", "name"),
    ("screen", "name"),
    ("group", "groupId"),
    ("alias", "previousId"),
    ("alias", "userId"),
]


@pytest.mark.parametrize("kind", VALID)
def test_complete_call_is_accepted(kind):
    """A call with the fields that its type requires is accepted, alone and in a batch."""
    alone = validate_body(kind, orjson.dumps(VALID[kind]))
    batched = validate_body("batch", orjson.dumps({"batch": [{"type": kind, **VALID[kind]}]}))

    assert (len(alone.accepted), alone.errors) == (1, ())
    assert (len(batched.accepted), batched.errors) == (1, ())


@pytest.mark.parametrize(("kind", "field"), REQUIRED)
@pytest.mark.parametrize("value", [None, "", 7], ids=["null", "empty", "number"])
def test_required_field_must_be_a_string(kind, field, value):
    """A call whose required field is null, empty or a number is rejected."""
    call = {**VALID[kind], field: value}
    call.pop("traits", None)

    validation = validate_body(kind, orjson.dumps(call))

    assert validation.accepted == ()
    assert "required" in validation.errors[0]


def test_user_with_only_an_email_is_accepted():
    """An identify call may identify its user by `traits.email` alone."""
    assert validate_body("identify", b'{"traits":{"email":"a@example.com"}}').errors == ()


def test_number_as_object_type_is_rejected():
    """`objectTypeId` is a string, not a number."""
    assert validate_body("group", b'{"groupId":"g","objectTypeId":1}').accepted == ()


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"batch":[]} x', b"\xff", b"[]", b'{"batch":{}}', b'{"calls":[]}'],
)
def test_body_that_is_not_a_batch_is_rejected(body):
    """A body that is not a JSON object with an array `batch` has an error and no calls."""
    validation = validate_body("batch", body)

    assert validation.accepted == ()
    assert len(validation.errors) == 1


def test_error_names_the_position_in_the_batch():
    """The invalid call of a batch is named by its position; the others are accepted."""
    good = {"type": "page", **VALID["page"]}

    validation = validate_body("batch", orjson.dumps({"batch": [good, {"type": "nope"}, 5, good]}))

    assert len(validation.accepted) == 2
    assert [error[:9] for error in validation.errors] == ["batch[1]:", "batch[2]:"]


@pytest.mark.parametrize("character", ["a", "界", "🙂"])
@pytest.mark.parametrize("excess", [0, 1])
def test_size_of_a_call_is_its_bytes_on_the_wire(character, excess):
    """32 KB are allowed and one byte more is not, whatever the characters."""
    call = {"type": "page", "userId": "1", "name": "n", "properties": {"p": character}}
    missing = CALL_MAX_BYTES + excess - len(orjson.dumps(call))
    call["userId"] += "x" * missing

    validation = validate_body("batch", orjson.dumps({"batch": [call]}))

    assert len(validation.accepted) == 1 - excess


@pytest.mark.parametrize("excess", [0, 1])
def test_size_of_a_batch_is_its_body(excess):
    """500 KB are allowed and one byte more is not."""
    body = b'{"batch":[]' + b" " * (BATCH_MAX_BYTES - 12 + excess) + b"}"

    assert len(validate_body("batch", body).errors) == excess


def test_bytes_of_a_call_are_kept_as_they_came():
    """Digits, escapes and spaces of each call are preserved, whatever surrounds it."""
    raw = b'{ "type":"page","userId":"1","name":"\\u00e9","v":12345678901234567.8900 }'

    validation = validate_body(
        "batch", b'{"context":{"batch":[1]} , "batch" : [ ' + raw + b" , " + raw + b"]}"
    )

    assert [call.raw for call in validation.accepted] == [raw, raw]
