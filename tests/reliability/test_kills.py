from __future__ import annotations

import itertools
import json
import random
import signal

import pytest

from tests.reliability.injection import Injection
from tests.reliability.kills import KINDS, SETUPS, chains, choose_kill, try_kills
from tests.reliability.pipe import Fault

SEED = 20_260_302


SETUP_IDS = ["one process", "two processes", "fan-out", "one lane", "power cut"]
CASES = [
    *itertools.product(KINDS, range(3)),
    ("settling", SETUP_IDS.index("power cut")),
]


@pytest.mark.parametrize(
    ("kind", "setup"), CASES, ids=[f"{kind}-{SETUP_IDS[setup]}" for kind, setup in CASES]
)
def test_nothing_is_lost_by_kills(scenario, kind, setup):
    """After several kills the next clean run has sent everything; repeats are identical."""
    seed = f"{SEED} {kind} {setup}"
    rng = random.Random(seed)

    tried = try_kills(
        scenario(seed=SEED, **SETUPS[setup]), [choose_kill(kind, rng) for _ in range(4)]
    )

    assert tried.hits, seed
    assert not tried.verdict.violations, seed


def test_partial_dead_letter_corrupts_no_other(scenario):
    """A kill during a write leaves a partial line; the next run's dead letters are complete."""
    with scenario() as tried:
        nameless = next(row for row in tried.ledger.rows if row.fate == "rejected")
        fault = Fault(target=Injection("write", 1, "halfway"))
        assert tried.run(fault).target == -signal.SIGKILL
        path = tried.folder / "dead_letters.jsonl"
        assert not path.read_bytes().endswith(b"\n")

        tried.finish()

        assert nameless.key in path.read_text()
        assert [json.loads(line)["reason"] for line in path.read_bytes().splitlines()]
        assert not tried.judge().violations


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_gives_the_same_kills(kind):
    """A case that failed can be run again."""
    first, again, other = (list(chains(kind, 12, random.Random(seed))) for seed in (1, 1, 2))

    assert first == again != other
    assert [len(chain) for chain in first] == [5, 5, 2]
