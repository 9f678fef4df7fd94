"""page: a person viewed a page of a website."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_pipelines import (
    ID,
    TEXT,
    USER_OR_ANONYMOUS_ID,
    CallType,
    call_schema,
    hookimpl,
    object_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = CallType(
    name="page",
    summary="a person viewed a page of a website",
    extra_columns="properties",
    is_event=True,
    schema=call_schema(
        {
            "userId": ID,
            "anonymousId": ID,
            "name": ID,
            "category": TEXT,
            "properties": object_of({}),
        },
        required=["name"],
        any_of=USER_OR_ANONYMOUS_ID,
    ),
)


@hookimpl
def register_call_types(register: Callable[[CallType], None]) -> None:
    """Register `page`."""
    register(PAGE)
