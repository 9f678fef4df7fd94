"""Which syncs are due now. Pure: times come in as unix seconds."""

from __future__ import annotations

import re

_UNITS = {"m": 60, "h": 3_600, "d": 86_400}
_FREQUENCY = re.compile(r"([1-9][0-9]{0,5})([mhd])")

FREQUENCY_PATTERN = f"^{_FREQUENCY.pattern}$"


def parse_frequency(text: str) -> int:
    """Seconds of `5m`, `1h`, `1d`. Raises ValueError for anything else."""
    match = _FREQUENCY.fullmatch(text)
    if match is None:
        raise ValueError("a frequency is a number of minutes, hours or days, such as 5m, 1h, 1d")
    return int(match[1]) * _UNITS[match[2]]


def is_due(
    *,
    now: int,
    last_sync_time: int,
    frequency_seconds: int | None = None,
    start_at: int | None = None,
) -> bool:
    """True if the sync should run in this run.

    It is due once `start_at` has come and `frequency_seconds` have passed since its last
    successful start; what was missed in between is caught up by this one run. Half a minute is
    forgiven, so that a schedule of every minute with a little jitter does not skip every other
    turn.
    """
    if start_at is not None and now < start_at:
        return False
    return frequency_seconds is None or now >= last_sync_time + frequency_seconds - 30
