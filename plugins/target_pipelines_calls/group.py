"""group: a company or another object, and its members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_pipelines import ID, TEXT, CallType, call_schema, hookimpl, nullable, object_of

if TYPE_CHECKING:
    from collections.abc import Callable

GROUP = CallType(
    name="group",
    summary="a company or another object, and its members",
    extra_columns="traits",
    schema=call_schema(
        {
            "groupId": ID,
            "userId": ID,
            "anonymousId": ID,
            # An object type id is an integer as a string, here or in the traits.
            "objectTypeId": ID,
            "traits": object_of(
                {
                    "object_type_id": nullable(TEXT),
                    "relationshipAttributes": nullable(object_of({})),
                }
            ),
        },
        required=["groupId"],
    ),
)


@hookimpl
def register_call_types(register: Callable[[CallType], None]) -> None:
    """Register `group`."""
    register(GROUP)
