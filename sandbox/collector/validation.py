"""What Customer.io's Data Pipelines API accepts: required fields, known types, sizes. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

CALL_MAX_BYTES = 32 * 1024
BATCH_MAX_BYTES = 500 * 1024

_WHITESPACE = " \t\r\n"
_scan_value = json.JSONDecoder().raw_decode


@dataclass(frozen=True, slots=True)
class ReceivedCall:
    """One call of a request: its bytes as received, and its parsed fields."""

    raw: bytes
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Validation:
    """The calls that are accepted, and the problems of the others."""

    accepted: tuple[ReceivedCall, ...]
    errors: tuple[str, ...]


def validate_body(endpoint: str, body: bytes) -> Validation:
    """Validate the body of a POST to an endpoint such as `track` or `batch`."""
    if endpoint == "batch" and len(body) > BATCH_MAX_BYTES:
        return Validation(
            (), (f"batch is {len(body)} bytes; at most {BATCH_MAX_BYTES} are allowed",)
        )
    try:
        calls = read_calls(endpoint, body.decode())
    except ValueError:
        return Validation((), ("body is not valid JSON",))
    if calls is None:
        return Validation((), ("body has no array `batch`",))
    problems = [find_problem(call, endpoint) for call in calls]
    return Validation(
        tuple(call for call, problem in zip(calls, problems, strict=True) if not problem),
        tuple(
            f"batch[{position}]: {problem}" if endpoint == "batch" else problem
            for position, problem in enumerate(problems)
            if problem
        ),
    )


def find_problem(call: ReceivedCall, endpoint: str = "batch") -> str:
    """The problem of a call; empty if it has none."""
    if len(call.raw) > CALL_MAX_BYTES:
        return f"call is {len(call.raw)} bytes; at most {CALL_MAX_BYTES} are allowed"
    if not isinstance(call.fields, dict):
        return "call is not an object"
    kind = call.fields.get("type") if endpoint == "batch" else endpoint
    if not isinstance(kind, str) or kind not in _REQUIREMENTS:
        return "`type` is missing or unknown"
    return next((text for text, holds in _REQUIREMENTS[kind] if not holds(call.fields)), "")


def _is_id(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _has_user_id(call: Mapping[str, Any]) -> bool:
    return _is_id(call.get("userId")) or _is_id(call.get("anonymousId"))


def _has_user_id_or_email(call: Mapping[str, Any]) -> bool:
    traits = call.get("traits")
    return _has_user_id(call) or (isinstance(traits, dict) and _is_id(traits.get("email")))


def _field(name: str) -> tuple[str, Callable[[Mapping[str, Any]], bool]]:
    return f"`{name}` is required: a string", lambda call: _is_id(call.get(name))


_USER_ID = ("`userId` or `anonymousId` is required: a string", _has_user_id)
_OBJECT_TYPE = (
    "`objectTypeId` must be a string",
    lambda call: isinstance(call.get("objectTypeId", ""), str),
)
_REQUIREMENTS: dict[str, tuple[tuple[str, Callable[[Mapping[str, Any]], bool]], ...]] = {
    "identify": (("`userId`, `anonymousId` or `traits.email` is required", _has_user_id_or_email),),
    "track": (_USER_ID, _field("event")),
    "page": (_USER_ID, _field("name")),
    "screen": (_USER_ID, _field("name")),
    "group": (_field("groupId"), _OBJECT_TYPE),
    "alias": (_field("previousId"), _field("userId")),
}
ENDPOINTS = frozenset({*_REQUIREMENTS, "batch"})


def read_calls(endpoint: str, text: str) -> list[ReceivedCall] | None:
    """The calls with their own bytes, so that sizes and digits are those on the wire.

    None if a batch has no array of calls. Raises ValueError for invalid JSON.
    """
    start = _skip_whitespace(text, 0)
    fields, end = _scan_value(text, start)
    if _skip_whitespace(text, end) != len(text):
        raise ValueError("more than one value")
    if endpoint != "batch":
        return [ReceivedCall(text[start:end].encode(), fields)]
    if not isinstance(fields, dict) or not isinstance(fields.get("batch"), list):
        return None
    return list(_items(text, _find_member(text, start, "batch")))


def _find_member(text: str, start: int, wanted: str) -> int:
    """Where a member's value begins, in a valid object that has this member."""
    position = start
    while True:
        name, position = _scan_value(text, _skip_whitespace(text, position + 1))
        position = _skip_whitespace(text, _skip_whitespace(text, position) + 1)
        if name == wanted:
            return position
        position = _skip_whitespace(text, _scan_value(text, position)[1])


def _items(text: str, start: int) -> Iterator[ReceivedCall]:
    """The items of a valid array."""
    position = _skip_whitespace(text, start + 1)
    while text[position] != "]":
        value, end = _scan_value(text, position)
        yield ReceivedCall(text[position:end].encode(), value)
        position = _skip_whitespace(text, end)
        if text[position] == ",":
            position = _skip_whitespace(text, position + 1)


def _skip_whitespace(text: str, position: int) -> int:
    while position < len(text) and text[position] in _WHITESPACE:
        position += 1
    return position
