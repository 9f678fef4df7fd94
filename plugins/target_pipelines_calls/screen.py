"""screen: a person viewed a screen of an app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_pipelines import (
    ID,
    MOBILE_CONTEXT,
    USER_OR_ANONYMOUS_ID,
    CallType,
    call_schema,
    hookimpl,
    object_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SCREEN = CallType(
    name="screen",
    summary="a person viewed a screen of an app",
    extra_columns="properties",
    is_event=True,
    schema=call_schema(
        {"userId": ID, "anonymousId": ID, "name": ID, "properties": object_of({})},
        required=["name"],
        any_of=USER_OR_ANONYMOUS_ID,
        context=MOBILE_CONTEXT,
    ),
)


@hookimpl
def register_call_types(register: Callable[[CallType], None]) -> None:
    """Register `screen`."""
    register(SCREEN)
