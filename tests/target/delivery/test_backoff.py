from __future__ import annotations

import pytest

from target_pipelines.delivery.backoff import backoff_seconds


@pytest.mark.parametrize(("attempt", "ceiling"), [(1, 0.5), (2, 1.0), (5, 8.0), (50, 60.0)])
def test_backoff_is_full_jitter(attempt, ceiling):
    """The wait is between zero and a ceiling that doubles up to a maximum."""
    assert backoff_seconds(attempt, None, jitter=0.0) == 0
    assert backoff_seconds(attempt, None, jitter=1.0) == ceiling


def test_backoff_is_never_shorter_than_retry_after():
    """Jitter is added to Retry-After."""
    assert backoff_seconds(1, 30.0, jitter=0.0) == 30.0
