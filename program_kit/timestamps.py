"""Timestamps in settings and on command lines."""

from datetime import UTC, datetime

MAX_UNIX_SECONDS = 253_402_300_799
"""9999-12-31T23:59:59Z, the last second of SQL Server's datetime2."""


def parse_iso_timestamp(text: str) -> int:
    """Unix seconds of an ISO 8601 date-time, in UTC if it has no offset. Raises ValueError."""
    parsed = datetime.fromisoformat(text)
    return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp())
