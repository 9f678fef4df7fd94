"""Times for people: local, with their zone. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import tzinfo


def local_time(time: str | int | None, zone: tzinfo | None = None) -> str:
    """A time of the history, or unix seconds, in a zone, by default that of this machine."""
    if time is None:
        return "-"
    if isinstance(time, str):
        found = datetime.fromisoformat(time)
    else:
        found = datetime.fromtimestamp(time, UTC)
    return f"{found.astimezone(zone):%Y-%m-%d %H:%M %Z}"
