"""Customer.io's semantic events as call types of their own, so that a sync can name them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_pipelines import ID, MOBILE_CONTEXT, CallType, call_schema, hookimpl, object_of

if TYPE_CHECKING:
    from collections.abc import Callable

# Names and required fields: "Semantic events" in Customer.io's documentation of its Data Pipelines
# API. A track call with another spelling is an ordinary event there, and deletes nobody.
USER_DELETED = "User Deleted"
USER_SUPPRESSED = "User Suppressed"
USER_UNSUPPRESSED = "User Unsuppressed"
RELATIONSHIP_DELETED = "Relationship Deleted"
OBJECT_DELETED = "Object Deleted"
DEVICE_CREATED_OR_UPDATED = "Device Created or Updated"
DEVICE_DELETED = "Device Deleted"

# Here the type of an object is an integer; in a group call it is a text.
_OBJECT: dict[str, Any] = {
    **object_of({"objectId": ID, "objectTypeId": {"type": "integer"}}),
    "required": ["objectId", "objectTypeId"],
}
_DEVICE: dict[str, Any] = {
    **object_of({**MOBILE_CONTEXT["properties"]["device"]["properties"], "token": ID}),
    "required": ["token"],
}
_DEVICE_CONTEXT: dict[str, Any] = {
    **object_of({**MOBILE_CONTEXT["properties"], "device": _DEVICE}),
    "required": ["device"],
}


def _person(name: str, summary: str, event: str) -> CallType:
    """A call type about a person; other columns have no place."""
    schema = call_schema({"userId": ID, "event": ID}, required=["userId"])
    return _semantic(name, summary, event, schema)


def _object(name: str, summary: str, event: str, *, of: str) -> CallType:
    """A call type about an object, which hangs on a person's id or on an anonymous one."""
    schema = call_schema({of: ID, "event": ID, "properties": _OBJECT}, required=[of, "properties"])
    return _semantic(name, summary, event, schema, extra_columns="properties")


def _device(name: str, summary: str, event: str) -> CallType:
    """A call type about a person's device, which is known by its token."""
    schema = call_schema(
        {"userId": ID, "event": ID, "properties": object_of({})},
        required=["userId", "context"],
        context=_DEVICE_CONTEXT,
    )
    return _semantic(name, summary, event, schema, extra_columns="properties")


def _semantic(
    name: str, summary: str, event: str, schema: dict[str, Any], **further: Any
) -> CallType:
    return CallType(
        name=name,
        summary=summary,
        sends_as="track",
        schema=schema,
        build=lambda call: {**call, "event": event},
        **further,
    )


CALL_TYPES = (
    _person("delete_person", "delete a person", USER_DELETED),
    _person("suppress_person", "delete a person and take them no more", USER_SUPPRESSED),
    _person("unsuppress_person", "take a suppressed person again", USER_UNSUPPRESSED),
    _object(
        "delete_relationship",
        "a person no longer belongs to an object",
        RELATIONSHIP_DELETED,
        of="userId",
    ),
    _object("delete_object", "delete an object", OBJECT_DELETED, of="anonymousId"),
    _device("device", "a person's device, new or changed", DEVICE_CREATED_OR_UPDATED),
    _device("delete_device", "a person's device is gone", DEVICE_DELETED),
)


@hookimpl
def register_call_types(register: Callable[[CallType], None]) -> None:
    """Offer them all."""
    for call_type in CALL_TYPES:
        register(call_type)
