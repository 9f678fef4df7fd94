"""Customer.io's semantic events as call types, so that a sync can name them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_pipelines import ID, MOBILE_CONTEXT, CallType, call_schema, hookimpl, object_of

if TYPE_CHECKING:
    from collections.abc import Callable

# Names and required fields: "Semantic events" in Customer.io's documentation of its Data Pipelines
# API. With another spelling a track call is an ordinary event, and deletes nobody.
USER_DELETED = "User Deleted"
USER_SUPPRESSED = "User Suppressed"
USER_UNSUPPRESSED = "User Unsuppressed"
RELATIONSHIP_DELETED = "Relationship Deleted"
OBJECT_DELETED = "Object Deleted"
DEVICE_CREATED_OR_UPDATED = "Device Created or Updated"
DEVICE_DELETED = "Device Deleted"

# The object type is an integer here, and a string in group calls.
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
    """A call type about a person; other columns are not sent."""
    schema = call_schema({"userId": ID, "event": ID}, required=["userId"])
    return _semantic(name, summary, event, schema)


def _object(name: str, summary: str, event: str, *, of: str) -> CallType:
    """A call type about an object, sent with a userId or an anonymousId."""
    schema = call_schema({of: ID, "event": ID, "properties": _OBJECT}, required=[of, "properties"])
    return _semantic(name, summary, event, schema, extra_columns="properties")


def _device(name: str, summary: str, event: str) -> CallType:
    """A call type about a person's device, identified by its token."""
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
    _person(
        "suppress_person", "delete a person and ignore further calls about them", USER_SUPPRESSED
    ),
    _person("unsuppress_person", "accept calls about a suppressed person again", USER_UNSUPPRESSED),
    _object(
        "delete_relationship",
        "remove a person from an object",
        RELATIONSHIP_DELETED,
        of="userId",
    ),
    _object("delete_object", "delete an object", OBJECT_DELETED, of="anonymousId"),
    _device("device", "add or update a person's device", DEVICE_CREATED_OR_UPDATED),
    _device("delete_device", "delete a person's device", DEVICE_DELETED),
)


@hookimpl
def register_call_types(register: Callable[[CallType], None]) -> None:
    """Register all call types."""
    for call_type in CALL_TYPES:
        register(call_type)
