"""identify: who someone is, and their traits."""

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
    summary="who someone is, and their traits",
    extra_columns="traits",
    schema=call_schema(
        {
            "userId": ID,
            "anonymousId": ID,
            "traits": object_of({"createdAt": nullable(TIMESTAMP), "email": nullable(TEXT)}),
        },
        # An email address identifies a person where neither id is known.
        any_of=[
            *USER_OR_ANONYMOUS_ID,
            {
                "required": ["traits"],
                "properties": {"traits": {"required": ["email"]}},
            },
        ],
    ),
)


@hookimpl
def register_call_types(register: Callable[[CallType], None]) -> None:
    """Offer `identify`."""
    register(IDENTIFY)
