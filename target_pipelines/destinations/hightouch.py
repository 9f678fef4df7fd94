"""Hightouch Events. Its limits are not published; these are Segment's, whose API it follows."""

from __future__ import annotations

from typing import Any

from target_pipelines import NEEDS_ID, HttpProfile, hookimpl

PROFILE = HttpProfile(
    name="hightouch",
    call_schema=NEEDS_ID,
    base_urls={"us": "https://us-east-1.hightouch-events.com/v1"},
    call_max_bytes=32 * 1024,
    batch_max_bytes=500 * 1024,
)


@hookimpl
def register_destinations(register: Any) -> None:
    """Register `hightouch`."""
    register(PROFILE.as_destination())
