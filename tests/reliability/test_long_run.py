from __future__ import annotations

from dataclasses import replace

import pytest

from tests.reliability.counting_api import Arrivals
from tests.reliability.long_run import LongRun, run_long
from tests.reliability.numbered_rows import PEOPLE, person_of, traits_of
from tests.reliability.oracle import Verdict
from tests.reliability.single_runs import Programs

ROWS = 50_000
SEED = 20_261_125


def test_many_rows_arrive_though_answers_fail(fork_server, tmp_path):
    """Each row is there, once or as the same again, and no STATE was ahead of its sync."""
    done = run_long(Programs(fork_server, tmp_path), ROWS, SEED)

    assert done.find_problems(ROWS) == []
    assert not done.verdict.violations
    assert done.failures > 0
    assert done.verdict.repeats > 0
    assert all(first > 0 for first, _ in done.megabytes.values())


def _call(number: int, **changes):
    person, traits = person_of(number), traits_of(number)
    return {"userId": person, "traits": traits, "messageId": f"id-{number}", **changes}


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
    """What is lost, changed, invented or sent again as another call has its count."""
    arrivals = Arrivals(2)
    for call in calls:
        arrivals.add(call)

    assert arrivals.verdict().violations == expected


def test_overtaken_call_is_noticed():
    """Of one person, the first call of a later row must not come before that of an earlier one."""
    arrivals = Arrivals(2 * PEOPLE)
    arrivals.add(_call(PEOPLE + 5))
    arrivals.add(_call(5))

    assert arrivals.verdict().out_of_order == 1


def test_growing_memory_is_a_problem():
    """From a million rows on; below, queues are still filling."""
    done = LongRun(Verdict(), 3, {"tap": (90.0, 92.0), "target": (70.0, 90.0)}, (0, 0))

    assert done.find_problems(5_000_000) == ["the target grew from 70 to 90 MB"]
    assert done.find_problems(50_000) == []
    assert replace(done, ends=(0, 4)).find_problems(50_000) == ["exit codes (0, 4)"]
