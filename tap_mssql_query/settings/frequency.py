"""Decides which syncs are due. Pure: times are passed in as unix seconds."""

from __future__ import annotations

import re

_UNITS = {"m": 60, "h": 3_600, "d": 86_400}
_FREQUENCY = re.compile(r"([1-9][0-9]{0,5})([mhd])")

FREQUENCY_PATTERN = f"^{_FREQUENCY.pattern}$"


def parse_frequency(text: str) -> int:
    """The seconds of `5m`, `1h` or `1d`. Raises ValueError for anything else."""
    match = _FREQUENCY.fullmatch(text)
    if match is None:
        raise ValueError("a frequency is a number of minutes, hours or days, such as 5m, 1h, 1d")
    return int(match[1]) * _UNITS[match[2]]


_TOLERANCE_SECONDS = 30


def due_at(
    *, last_sync_time: int, frequency_seconds: int | None = None, start_at: int | None = None
) -> int:
    """When a sync is due: `start_at`, or `frequency_seconds` after its last successful start.

    The later one of both; 0 if it has neither.
    """
    after_last = 0 if frequency_seconds is None else last_sync_time + frequency_seconds
    return max(start_at or 0, after_last)


def is_due(
    *,
    now: int,
    last_sync_time: int,
    frequency_seconds: int | None = None,
    start_at: int | None = None,
) -> bool:
    """Whether a sync is due.

    It is due when `start_at` has passed, and `frequency_seconds` since its last successful start;
    one run catches up with all that were missed. A tolerance of 30 seconds keeps a scheduler with
    a little jitter from skipping every other run.
    """
    if start_at is not None and now < start_at:
        return False
    due = due_at(last_sync_time=last_sync_time, frequency_seconds=frequency_seconds)
    return now >= due - _TOLERANCE_SECONDS
