from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest

from tests.reliability import resuming
from tests.reliability.oracle import Verdict
from tests.reliability.resuming import (
    MOST_DRAWS,
    MOST_REPEATED,
    ResumeResult,
    _kill,
    draw_kills,
    run_resumed,
)

ROWS = 60_000
KILLS = 3


@pytest.mark.slow
@pytest.mark.parametrize("way", ["partitions", "order"])
def test_killed_first_sync_resumes(tmp_path, way):
    """Whichever process is killed, each row arrives and repeats are identical."""
    drawn = draw_kills(
        lambda: Path(tempfile.mkdtemp(dir=tmp_path)),
        way=way,
        rows=ROWS,
        kills=KILLS,
        rng=random.Random(20_261_125),
    )
    syncs = [done for _, done in drawn]

    assert sum(done.kills for done in syncs) == KILLS
    assert sum(done.verdict.repeats for done in syncs) > 0
    for done in syncs:
        assert not done.verdict.violations
        assert done.other_problems == []
        # Fewer than if each run had started over; of few rows, one block is a large share.
        assert sum(done.repeats) <= KILLS * ROWS / 3


def test_kill_that_comes_too_late_is_no_violation(tmp_path, code):
    """The complete sync is not run again, in another window; the kill is not counted."""
    code.replace(resuming, _kill, lambda process, _victim: bool(process.wait() + 1))

    done = run_resumed(tmp_path, way="order", rows=2_000, kills=2, seed=1)

    assert (done.kills, len(done.repeats)) == (0, 1)
    assert not done.verdict.violations
    assert done.problems == []


@pytest.mark.parametrize(
    ("struck", "asked"), [([1, 0, 2], [3, 2, 2]), ([0] * 9, [3] * MOST_DRAWS)], ids=str
)
def test_kills_that_come_too_late_are_drawn_again(code, struck, asked):
    """Another sync gets the kills that are left, but only so often."""
    results, seen = iter(struck), list[int]()

    def run(*_: object, kills: int, **__: object) -> ResumeResult:
        seen.append(kills)
        return ResumeResult(Verdict(), 1000, kills=next(results))

    code.replace(resuming, run_resumed, run)

    list(draw_kills(Path, way="order", rows=1000, kills=3, rng=random.Random(1)))

    assert seen == asked


def test_too_many_repeats_are_a_problem():
    """A run that starts over instead of resuming is a problem."""
    few, many = int(1000 * MOST_REPEATED), int(1000 * MOST_REPEATED) + 1

    assert ResumeResult(Verdict(), rows=1000, repeats=[0, few]).problems == []
    assert ResumeResult(Verdict(), rows=1000, repeats=[0, many]).problems == [
        f"{many} rows were sent again by one run"
    ]
