"""How long to wait between two attempts. Pure."""

from __future__ import annotations

_BASE_SECONDS = 0.5
_MAX_SECONDS = 60.0


def backoff_seconds(attempt: int, after_seconds: float | None, jitter: float) -> float:
    """Seconds to wait before the next attempt: Retry-After plus exponential backoff, full jitter.

    Args:
        attempt: how many attempts have failed, from 1.
        after_seconds: the response's Retry-After.
        jitter: a random number from 0 to 1.
    """
    ceiling = min(_BASE_SECONDS * 2.0 ** min(attempt - 1, 16), _MAX_SECONDS)
    return (after_seconds or 0.0) + jitter * ceiling
