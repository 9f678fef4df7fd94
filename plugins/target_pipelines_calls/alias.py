"""alias: merge two identities of one person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_pipelines import ID, CallType, call_schema, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

ALIAS = CallType(
    name="alias",
    summary="merge two identities of one person",
    schema=call_schema({"userId": ID, "previousId": ID}, required=["userId", "previousId"]),
)


@hookimpl
def register_call_types(register: Callable[[CallType], None]) -> None:
    """Register `alias`."""
    register(ALIAS)
