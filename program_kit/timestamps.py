"""Timestamps in settings and on command lines."""

from datetime import UTC, datetime


def parse_iso_timestamp(text: str) -> int:
    """Unix seconds of an ISO 8601 date-time, in UTC if it has no offset. Raises ValueError."""
    parsed = datetime.fromisoformat(text)
    return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp())
