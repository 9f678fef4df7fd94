from __future__ import annotations

import pytest

from tests.reliability.oracle import Verdict
from tests.reliability.resuming import MOST_REPEATED, Resumed, run_resumed

ROWS = 60_000
KILLS = 3


@pytest.mark.parametrize("way", ["partitions", "order"])
def test_killed_first_sync_goes_on(tmp_path, way):
    """Whoever is killed, tap, target, conductor or all: each row comes, repeats are the same."""
    done = run_resumed(tmp_path, way=way, rows=ROWS, kills=KILLS, seed=20_261_125)

    assert not done.verdict.violations
    assert done.verdict.repeats > 0
    assert done.other_problems == []
    # Fewer than if it had started over; of so few rows a block is a larger share than of many.
    assert sum(done.repeats) < KILLS * ROWS / 3


def test_too_many_repeats_are_a_problem():
    """A run that starts over is not one that goes on."""
    few, many = int(1000 * MOST_REPEATED), int(1000 * MOST_REPEATED) + 1

    assert Resumed(Verdict(), rows=1000, repeats=[0, few]).problems == []
    assert Resumed(Verdict(), rows=1000, repeats=[0, many]).problems == [
        f"{many} rows were sent again by one run"
    ]
