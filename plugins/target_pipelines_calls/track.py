"""track: an event: what a person did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_pipelines import (
    ID,
    USER_OR_ANONYMOUS_ID,
    CallType,
    call_schema,
    hookimpl,
    object_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

TRACK = CallType(
    name="track",
    summary="an event: what a person did",
    extra_columns="properties",
    is_event=True,
    schema=call_schema(
        {"userId": ID, "anonymousId": ID, "event": ID, "properties": object_of({})},
        required=["event"],
        any_of=USER_OR_ANONYMOUS_ID,
    ),
)


@hookimpl
def register_call_types(register: Callable[[CallType], None]) -> None:
    """Register `track`."""
    register(TRACK)
