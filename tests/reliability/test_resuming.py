from __future__ import annotations

import pytest

from tests.reliability.oracle import Verdict
from tests.reliability.resuming import MOST_REPEATED, ResumeResult, run_resumed

ROWS = 60_000
KILLS = 3


@pytest.mark.parametrize("way", ["partitions", "order"])
def test_killed_first_sync_resumes(tmp_path, way):
    """Whichever process is killed, each row arrives and repeats are identical."""
    done = run_resumed(tmp_path, way=way, rows=ROWS, kills=KILLS, seed=20_261_125)

    assert not done.verdict.violations
    assert done.verdict.repeats > 0
    assert done.other_problems == []
    # Fewer than if each run had started over; of few rows, one block is a large share.
    assert sum(done.repeats) < KILLS * ROWS / 3


def test_too_many_repeats_are_a_problem():
    """A run that starts over instead of resuming is a problem."""
    few, many = int(1000 * MOST_REPEATED), int(1000 * MOST_REPEATED) + 1

    assert ResumeResult(Verdict(), rows=1000, repeats=[0, few]).problems == []
    assert ResumeResult(Verdict(), rows=1000, repeats=[0, many]).problems == [
        f"{many} rows were sent again by one run"
    ]
