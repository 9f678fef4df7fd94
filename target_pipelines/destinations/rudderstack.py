"""RudderStack: each data plane has its own URL. Source: its documentation and gateway code."""

from __future__ import annotations

from typing import Any

from target_pipelines import NEEDS_ID, HttpProfile, hookimpl

PROFILE = HttpProfile(
    name="rudderstack",
    call_schema=NEEDS_ID,
    call_max_bytes=32 * 1024,
    batch_max_bytes=4000 * 1024,
)


@hookimpl
def register_destinations(register: Any) -> None:
    """Register `rudderstack`."""
    register(PROFILE.as_destination())
