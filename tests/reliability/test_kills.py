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
    """Killed again and again, the next clean run has everything out, once or as the same again."""
    seed = f"{SEED} {kind} {setup}"
    rng = random.Random(seed)

    tried = try_kills(
        scenario(seed=SEED, **SETUPS[setup]), [choose_kill(kind, rng) for _ in range(4)]
    )

    assert tried.hits, seed
    assert not tried.verdict.violations, seed


def test_torn_dead_letter_spoils_no_other(scenario):
    """Killed in mid write, the target leaves half a letter; the next run's are all whole."""
    with scenario() as tried:
        nameless = next(row for row in tried.ledger.rows if row.fate == "rejected")
        fault = Fault(target=Injection("write", 1, "halfway"))
        assert tried.run(fault).target == -signal.SIGKILL
        letters = tried.folder / "dead_letters.jsonl"
        assert not letters.read_bytes().endswith(b"\n")

        tried.finish()

        assert nameless.key in letters.read_text()
        assert [json.loads(line)["reason"] for line in letters.read_bytes().splitlines()]
        assert not tried.judge().violations


@pytest.mark.parametrize("kind", KINDS)
def test_kills_come_again_with_their_seed(kind):
    """A case that failed can be tried again; another seed has other ones."""
    first, again, other = (list(chains(kind, 12, random.Random(seed))) for seed in (1, 1, 2))

    assert first == again != other
    assert [len(chain) for chain in first] == [5, 5, 2]
