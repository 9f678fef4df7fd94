"""identify: a person and their traits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_pipelines import (
    ID,
    TEXT,
    TIMESTAMP,
    USER_OR_ANONYMOUS_ID,
    CallType,
    call_schema,
    hookimpl,
    nullable,
    object_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

IDENTIFY = CallType(
    name="identify",
    summary="a person and their traits",
    extra_columns="traits",
    schema=call_schema(
        {
            "userId": ID,
            "anonymousId": ID,
            "traits": object_of({"createdAt": nullable(TIMESTAMP), "email": nullable(TEXT)}),
        },
        # Without an id, the email address identifies the person.
        any_of=[
            *USER_OR_ANONYMOUS_ID,
            {
                "required": ["traits"],
                "properties": {
                    "traits": {"required": ["email"], "properties": {"email": {"type": "string"}}}
                },
            },
        ],
    ),
)


@hookimpl
def register_call_types(register: Callable[[CallType], None]) -> None:
    """Register `identify`."""
    register(IDENTIFY)
