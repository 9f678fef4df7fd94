"""Times of runs: ISO 8601 in UTC with milliseconds, so that they sort as texts. Pure."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The present time."""
    return datetime.now(UTC)


def time_text(time: datetime) -> str:
    """A time as the history has it: `2026-11-27T19:27:20.123Z`."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def text_of_seconds(seconds: int | None) -> str | None:
    """Unix seconds as the history has them."""
    return None if seconds is None else time_text(datetime.fromtimestamp(seconds, UTC))
