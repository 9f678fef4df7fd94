"""Numbers, durations and times as people write them."""

from __future__ import annotations

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def count_of(number: int, noun: str) -> str:
    """A number with its noun: "1 sync", "3,897 calls"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration_of(seconds: float) -> str:
    """A duration with one or two units: "0.6 s", "42 s", "5 min", "1 h 5 min", "3 days"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if round(seconds) < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return _two(seconds, _MINUTE, "min", 1, "s", until=10)
    if seconds < 2 * _DAY:
        return _two(seconds, _HOUR, "h", _MINUTE, "min", until=10)
    return count_of(round(seconds / _DAY), "day")


def _two(seconds: float, large: int, unit: str, small: int, smaller: str, *, until: int) -> str:
    """Two units, or one if the first is `until` or more."""
    whole = round(seconds / small) * small
    number, rest = divmod(whole, large)
    if number >= until or not rest:
        return f"{round(seconds / large)} {unit}"
    return f"{number} {unit} {rest // small} {smaller}"


def list_of(names: list[str], limit: int = 5) -> str:
    """Names as in a sentence: "a", "a and b", "a, b and 7 others"."""
    shown = names[:limit] if len(names) > limit else names[:-1]
    last = f"{len(names) - limit} others" if len(names) > limit else "".join(names[-1:])
    return f"{', '.join(shown)} and {last}" if shown else last


def bytes_of(number: int) -> str:
    """A size with one unit, in powers of 1,000: "812 B", "3.4 kB", "120 MB"."""
    size, unit = float(number), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 999.5:
            break
        size, unit = size / 1000, larger
    digits = 0 if unit == "B" or size >= 99.95 else 1
    return f"{size:,.{digits}f} {unit}"
