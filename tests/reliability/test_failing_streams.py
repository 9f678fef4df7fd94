from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tests.reliability.counts import case_count
from tests.reliability.failing_streams import (
    SETUPS,
    SeenDestination,
    SeenRun,
    fail_among_good,
    judge_run,
)
from tests.reliability.single_runs import Programs
from tests.reliability.stream_plans import EXIT_CODES, Fate, Plan, Row, StreamPlan, Way, make_plan

SEEDS = range(case_count(6, 100))


@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.parametrize("seed", SEEDS)
def test_streams_fail_alone(fork_server, tmp_path, setup, seed):
    """No good stream misses a row; no failed one moves its bookmark or leaves dead letters."""
    tried = fail_among_good(Programs(fork_server, tmp_path), seed, **SETUPS[setup])

    assert not tried.verdict.violations


def test_inputs_fail_in_all_ways():
    """A few random inputs contain every way to fail, and streams that do not."""
    plans = [make_plan(random.Random(seed), destinations=2) for seed in range(40)]
    ways = {stream.way for plan in plans for stream in plan.streams.values()}

    assert ways == {*EXIT_CODES, None}


def _stream(name: str, *fates: Fate, way: Way | None = None, fails_after: int = 9) -> StreamPlan:
    rows = [Row(name, number, "u1", fate, 0) for number, fate in enumerate(fates, 1)]
    return StreamPlan(name, "identify", rows, way, fails_after, moves_often=True, is_known=True)


GOOD = _stream("good", "delivered", "delivered", "nameless")
FAILING = _stream(
    "failing", "delivered", "delivered", "delivered", way="missing key", fails_after=2
)
PLAN = Plan(
    {"good": GOOD, "failing": FAILING},
    [stream.record(row) for stream in (GOOD, FAILING) for row in stream.rows],
)
CALLS = [(row.key, stream.body(row)) for stream in (GOOD, FAILING) for row in stream.rows[:2]]
COUNTS = {"read": 3, "filtered": 0}
WHOLE = SeenDestination(
    CALLS,
    ["good-3"],
    {
        "good": {**COUNTS, "delivered": 2, "rejected": 1, "discarded": 0},
        "failing": {**COUNTS, "delivered": 2, "rejected": 0, "discarded": 1},
    },
)
STATES = [{"failing": 0}, {"failing": 2, "good": 3}]
LATE = ("failing-3", FAILING.body(FAILING.rows[2]))
WRONG = {
    "row of a good stream": (replace(WHOLE, calls=CALLS[1:]), {"missing": 1}),
    "dead letter of a good stream": (replace(WHOLE, dead_letters=[]), {"missing": 1}),
    "covered row of a failed stream": (replace(WHOLE, calls=CALLS[:3]), {"missing": 1}),
    "call after the failure": (replace(WHOLE, calls=[*CALLS, LATE]), {"spurious": 1}),
    "call sent twice": (replace(WHOLE, calls=[*CALLS, CALLS[3]]), {"spurious": 1}),
    "dead letter of a failed stream": (
        replace(WHOLE, dead_letters=["good-3", "failing-3"]),
        {"spurious": 1},
    ),
    "dead letter twice": (replace(WHOLE, dead_letters=["good-3"] * 2), {"spurious": 1}),
    "changed call": (
        replace(WHOLE, calls=[("", {**CALLS[0][1], "userId": "u2"}), *CALLS[1:]]),
        {"corrupt": 1},
    ),
    "overtaken call": (
        replace(WHOLE, calls=[CALLS[1], CALLS[0], *CALLS[2:]]),
        {"out_of_order": 1},
    ),
    "uncounted row": (
        replace(WHOLE, report={**WHOLE.report, "failing": {**COUNTS, "delivered": 2}}),
        {"uncounted": 1},
    ),
}


def _violations(seen: SeenDestination, states: list[dict[str, int]]) -> dict[str, int]:
    return judge_run(PLAN, SeenRun(states, [seen]), begun_at={}).violations


def test_right_run_has_no_violations():
    """A failed stream may keep what was settled before it failed."""
    assert not _violations(WHOLE, STATES)


@pytest.mark.parametrize(("seen", "violations"), WRONG.values(), ids=list(WRONG))
def test_wrong_outcome_is_noticed(seen, violations):
    """A lost, doubled, late or uncounted row is a violation."""
    assert _violations(seen, STATES) == violations


@pytest.mark.parametrize(
    ("states", "violations"),
    [
        ([*STATES, {"failing": 3, "good": 3}], {"premature_states": 1, "missing": 1}),
        ([*STATES, {"failing": 0, "good": 3}], {"premature_states": 1}),
        ([*STATES, {"good": 3}], {"premature_states": 1}),
        ([{"failing": 2, "good": 2}], {"missing": 1}),
    ],
    ids=["moved", "went back", "vanished", "good one stayed"],
)
def test_wrong_bookmark_is_noticed(states, violations):
    """A failed stream's bookmark stays, and a good one's reaches its end."""
    assert _violations(WHOLE, states) == violations
