"""Segment. Source: its public documentation. It drops calls beyond 2,500 with status 200."""

from __future__ import annotations

from typing import Any

from target_pipelines import NEEDS_ID, HttpProfile, hookimpl

PROFILE = HttpProfile(
    name="segment",
    call_schema=NEEDS_ID,
    base_urls={"us": "https://api.segment.io/v1", "eu": "https://events.eu1.segmentapis.com/v1"},
    call_max_bytes=32 * 1024,
    batch_max_bytes=500 * 1024,
    batch_max_calls=2500,
    requests_per_second=1000,
)


@hookimpl
def register_destinations(register: Any) -> None:
    """Register `segment`."""
    register(PROFILE.as_destination())
