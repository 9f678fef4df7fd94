from __future__ import annotations

import random

import pytest

from tests.reliability.kills import CHAIN, KINDS, SETUPS, choose_kill, try_kills

SEED = 20_260_302


@pytest.mark.parametrize("setup", SETUPS[:3], ids=["one process", "two processes", "fan-out"])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_lost_by_kills(scenario, kind, setup):
    """Killed again and again, the next clean run has everything out, once or as the same again."""
    seed = f"{SEED} {kind} {sorted(setup)}"
    dice = random.Random(seed)

    tried = try_kills(scenario(seed=SEED, **setup), [choose_kill(kind, dice) for _ in range(CHAIN)])

    assert tried.struck, seed
    assert tried.verdict.repeats or kind != "requests", seed
    assert not tried.verdict.violations, seed
