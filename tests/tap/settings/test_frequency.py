"""Which syncs are due."""

from __future__ import annotations

import pytest

from tap_mssql_query.settings.frequency import is_due, parse_frequency


@pytest.mark.parametrize(
    ("text", "seconds"), [("1m", 60), ("5m", 300), ("1h", 3600), ("36h", 129_600), ("1d", 86_400)]
)
def test_frequency_is_parsed(text: str, seconds: int) -> None:
    """Minutes, hours and days become seconds."""
    assert parse_frequency(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "0m", "5", "5s", "-5m", "1.5h", "5m ", "5 m", "5M"])
def test_other_frequencies_are_refused(text: str) -> None:
    """Anything else is refused, including less than a minute."""
    with pytest.raises(ValueError, match="such as 5m"):
        parse_frequency(text)


@pytest.mark.parametrize(
    ("now", "last", "frequency", "start_at", "due"),
    [
        pytest.param(1000, 0, None, None, True, id="no frequency: every run"),
        pytest.param(1000, 0, 300, None, True, id="never ran"),
        pytest.param(1000, 900, 300, None, False, id="ran a while ago"),
        pytest.param(1200, 900, 300, None, True, id="frequency passed"),
        pytest.param(1171, 900, 300, None, True, id="jitter of less than half a minute"),
        pytest.param(1169, 900, 300, None, False, id="more than half a minute early"),
        pytest.param(9999, 900, 300, None, True, id="missed many times: one run"),
        pytest.param(1000, 0, None, 1001, False, id="before start_at"),
        pytest.param(1001, 0, None, 1001, True, id="at start_at"),
    ],
)
def test_due(now: int, last: int, frequency: int | None, start_at: int | None, due: bool) -> None:
    """A sync is due once its start and its frequency have passed."""
    arguments = {"frequency_seconds": frequency, "start_at": start_at}
    assert is_due(now=now, last_sync_time=last, **arguments) is due
