"""Fuzzing with many inputs: examples and variations of them; failures are counted."""

from __future__ import annotations

import random
import signal
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis

from tests.reliability.fuzz_checks import NAMES, all_inputs
from tests.reliability.registry import Soak, SoakRow, Tally
from tests.reliability.variation import vary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hypothesis.strategies import SearchStrategy

FULL_COUNT = 100_000
EXAMPLES = 400
HANG_SECONDS = 20
_AT_ONCE = 5_000
_MOST_REPORTED = 5


def examples_of(strategy: SearchStrategy[Any], count: int, seed: int) -> list[Any]:
    """`count` examples of a strategy; the same ones for the same seed."""
    found: list[Any] = []

    def collect(value: Any) -> None:
        found.append(value)

    hypothesis.seed(seed)(
        hypothesis.settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )(hypothesis.given(strategy)(collect))
    )()
    return found


def inputs_of(strategy: SearchStrategy[Any], count: int, seed: int) -> Iterator[Any]:
    """`count` inputs: examples of a strategy, then variations of them."""
    rng = random.Random(seed)
    pool = examples_of(strategy, min(EXAMPLES, max(count // 4, 1)), seed)
    yield from pool[:count]
    for _ in range(count - len(pool)):
        varied = rng.choice(pool)
        for _ in range(rng.randint(1, 3)):
            varied = vary(varied, rng.choice(pool), rng)
        yield varied
        if rng.random() < 0.02:
            pool[rng.randrange(len(pool))] = varied


def _hang(*_: object) -> None:
    raise TimeoutError("it hangs")


def try_inputs(name: str, count: int, seed: int, hang_seconds: int = HANG_SECONDS) -> list[str]:
    """Try so many inputs of a kind; one text for each failure. Only for the main thread."""
    signal.signal(signal.SIGALRM, _hang)
    problems = []
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        kind = all_inputs(Path(folder))[name]
        for value in inputs_of(kind.strategy, count, seed):
            signal.alarm(hang_seconds)
            try:
                kind.check(value)
            except Exception as error:  # noqa: BLE001  # any exception is a crash
                problems.append(f"{type(error).__name__}: {error}: {value!r}"[:800])
            finally:
                signal.alarm(0)
    return problems


def soak(soak: Soak) -> Iterable[SoakRow]:
    """All kinds of inputs, in two processes; if such a process dies, so does the soak."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for name in NAMES:
            tally, rng, count = Tally(f"fuzz: {name}"), soak.rng(name), soak.count(FULL_COUNT)
            sizes = [min(_AT_ONCE, count - start) for start in range(0, count, _AT_ONCE)]
            seeds = [rng.randrange(10**9) for _ in sizes]
            seen = Counter[str]()
            done = pool.map(try_inputs, [name] * len(sizes), sizes, seeds)
            for size, seed, problems in zip(sizes, seeds, done, strict=True):
                tally.add(cases=size, faults=size, failed=len(problems))
                soak.show_progress(f"{tally.scenario}: {tally.cases}")
                for problem in problems:
                    kind = problem.partition(":")[0]
                    seen[kind] += 1
                    if seen[kind] <= _MOST_REPORTED:
                        soak.report(f"{tally.scenario}, seed {seed}: {problem}")
            yield tally.row()
