from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.reliability.counts import case_count
from tests.reliability.state_machine.guards import GUARDS
from tests.reliability.state_machine.machine import TargetMachine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.reliability.replacements import Replacements

SEED = 20_260_307
PARTS = 4  # so that all workers of pytest have something to do
CASES, MORE_CASES = case_count(200, 200), case_count(40, 100_000)
ACTIONS = 100
CASES_WITHOUT_A_GUARD = 1_000
pytestmark = pytest.mark.timeout(case_count(300, 36_000))


def _run(
    cases: int, case_seed: int, removed: Sequence[Callable[[Replacements], None]] = ()
) -> None:
    """Run so many cases; the same seed always gives the same ones."""

    class Machine(TargetMachine):
        pass

    Machine.removed = removed
    run_state_machine_as_test(
        seed(case_seed)(Machine),
        settings=settings(
            max_examples=cases,
            stateful_step_count=ACTIONS,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate] if removed else [Phase.generate, Phase.shrink],
        ),
    )


@pytest.mark.parametrize("part_seed", range(SEED, SEED + PARTS))
def test_invariants_hold_in_any_order_of_actions(part_seed):
    """No order of messages, responses, waits, signals, kills and restarts breaks a promise."""
    _run(CASES // PARTS, part_seed)


@pytest.mark.slow
@pytest.mark.parametrize("part_seed", range(SEED + PARTS, SEED + 2 * PARTS))
def test_invariants_hold_in_many_orders_of_actions(part_seed):
    """The same for more cases, from other seeds."""
    _run(MORE_CASES // PARTS, part_seed)


@pytest.mark.slow
@pytest.mark.parametrize("guard", list(GUARDS)[:: case_count(3, 1)])
def test_machine_notices_a_missing_guard(guard):
    """Without a guard the machine finds a sequence of actions that breaks a promise."""
    remove, violation = GUARDS[guard]

    with pytest.raises(AssertionError, match=violation):
        _run(CASES_WITHOUT_A_GUARD, SEED, [remove])
