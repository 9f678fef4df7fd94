from __future__ import annotations

import logging
import sys

from program_kit.progress import Progress


def _lines(monkeypatch, caplog, *, is_terminal: bool) -> list[str]:
    """The log lines for rows written at 1, 6, 7 and 12 seconds."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal, raising=False)
    times = iter([0.0, 1.0, 6.0, 7.0, 12.0])
    with caplog.at_level(logging.INFO):
        progress = Progress("users", logging.getLogger("test"), clock=lambda: next(times))
        for rows in (100, 600, 700, 1200):
            progress.show(rows)
    return [record.getMessage() for record in caplog.records]


def test_terminal_shows_progress_now_and_then(monkeypatch, caplog):
    """One line every five seconds, with rows, rows per second and elapsed time."""
    assert _lines(monkeypatch, caplog, is_terminal=True) == [
        "stream=users rows=600 rows_per_second=100 seconds=6",
        "stream=users rows=1200 rows_per_second=100 seconds=12",
    ]


def test_progress_is_silent_without_a_terminal(monkeypatch, caplog):
    """Progress does not fill a log file."""
    assert _lines(monkeypatch, caplog, is_terminal=False) == []
