from __future__ import annotations

from dataclasses import replace

import pytest

from tests.reliability.counting_api import Arrivals
from tests.reliability.long_run import LongRun, run_long
from tests.reliability.numbered_rows import KEYS, traits_of, user_id_of
from tests.reliability.oracle import Verdict
from tests.reliability.single_runs import Programs

ROWS = 50_000
SEED = 20_261_125


def test_many_rows_arrive_although_requests_fail(fork_server, tmp_path):
    """Each row arrives, repeats are identical, and no STATE is premature."""
    done = run_long(Programs(fork_server, tmp_path), ROWS, SEED)

    assert done.find_problems(ROWS) == []
    assert not done.verdict.violations
    assert done.failures > 0
    assert done.verdict.repeats > 0
    assert all(first > 0 for first, _ in done.megabytes.values())


def _call(number: int, **changes):
    user_id, traits = user_id_of(number), traits_of(number)
    return {"userId": user_id, "traits": traits, "messageId": f"id-{number}", **changes}


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([_call(0), _call(1)], {}),
        ([_call(0)], {"missing": 1}),
        ([_call(0), _call(1), _call(1, messageId="other")], {"repeats_with_other_ids": 1}),
        ([_call(0), _call(1), _call(2)], {"spurious": 1}),
        ([_call(0), _call(1), {"userId": "7"}], {"spurious": 1}),
        ([_call(0), _call(1), _call(1, userId="7")], {"corrupt": 1}),
        ([_call(0), _call(1), _call(1, traits={**traits_of(1), "amount": 2})], {"corrupt": 1}),
    ],
)
def test_each_wrong_call_is_noticed(calls, expected):
    """A lost, changed, invented or differently repeated call is counted."""
    arrivals = Arrivals(2)
    for call in calls:
        arrivals.add(call)

    assert arrivals.verdict().violations == expected


def test_overtaking_call_is_noticed():
    """The calls of one person must arrive in row order."""
    arrivals = Arrivals(2 * KEYS)
    arrivals.add(_call(KEYS + 5))
    arrivals.add(_call(5))

    assert arrivals.verdict().out_of_order == 1


def test_growing_memory_is_a_problem():
    """Memory is checked from a million rows on; with fewer, queues are still filling."""
    done = LongRun(Verdict(), 3, {"tap": (90.0, 92.0), "target": (70.0, 90.0)}, (0, 0))

    assert done.find_problems(5_000_000) == ["the target grew from 70 to 90 MB"]
    assert done.find_problems(50_000) == []
    assert replace(done, exit_codes=(0, 4)).find_problems(50_000) == ["exit codes (0, 4)"]
