"""SIGKILL after any number of bytes or requests, and at each call that delivery depends on."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from sandbox.collector import Behaviour
from tests.reliability.guards import POWER
from tests.reliability.injection import POINTS, Injection
from tests.reliability.pipe import Fault
from tests.reliability.registry import Soak, SoakRow, Tally, catching
from tests.reliability.scenario import Scenario

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator, Sequence

    from tests.reliability.oracle import Verdict
    from tests.reliability.programs import ExitCodes

Kind = Literal["bytes", "requests", "settling", "target calls", "tap calls"]
KINDS: tuple[Kind, ...] = get_args(Kind)
CHAIN = 5
FULL_COUNT = 2_000
_PASSED_BYTES = 9_000  # of a first run; the next ones read less
_MOST_REQUESTS = 12
THREADS = 2
_MOST_CALLS = {
    "target": {
        "connect": 3,
        "write": 8,
        "settle": 10,
        "drain": 1,
        "add state": 4,
        "print state": 4,
        "split": 5,
        "fsync": 3,
        "dead letter": 3,
    },
    "tap": {"connect": 4, "fetch": 8, "write": 12},
}
_USUAL_CALLS = {"target": 9, "tap": 4}


@dataclass(frozen=True, slots=True)
class Kill:
    """A kill, and how the collector responds in that run."""

    kind: Kind
    fault: Fault
    behaviours: tuple[Behaviour, ...] = ()


@dataclass(frozen=True, slots=True)
class KillResult:
    """The result of a chain of kills: how many hit a program, and the verdict after a clean run."""

    cases: int
    hits: int
    verdict: Verdict


SETUPS: tuple[dict[str, Any], ...] = (
    {},
    {"processes": 2},
    {"destinations": 2},
    {"settings": {"concurrency": 1, "batch_max_calls": 3}},
    {"removed": (POWER,)},
)
"""Options of scenarios, used in turn. In the last one each kill is a power cut."""
SETTLING = ("write", "write", "fsync", "dead letter", "settle", "add state", "print state")
"""Points around dead letter, acknowledgement and STATE."""


def choose_kill(kind: Kind, rng: random.Random) -> Kill:
    """Choose a kill of a kind."""
    match kind:
        case "bytes":
            victim: Literal["tap", "target"] = rng.choice(["tap", "target"])
            return Kill(kind, Fault(victim=victim, after_bytes=rng.randrange(_PASSED_BYTES)))
        case "requests":
            return _kill_at_request(rng)
        case "settling":
            failing = Behaviour(status=503, probability=0.2, times=4)
            return Kill(kind, Fault(target=_choose_call("target", rng, SETTLING)), (failing,))
        case "target calls":
            behaviours = rng.choice([(), (Behaviour(status=503, probability=0.3, times=6),)])
            return Kill(kind, Fault(target=_choose_call("target", rng)), behaviours)
        case "tap calls":
            return Kill(kind, Fault(tap=_choose_call("tap", rng)))


def _kill_at_request(rng: random.Random) -> Kill:
    """Kill the target while a request waits for its response, its calls committed or not."""
    number = rng.randint(1, _MOST_REQUESTS)
    waiting = rng.choice(
        [
            Behaviour(delay_seconds=0.5, times=None),
            Behaviour(status=503, delay_seconds=0.5, times=None),
            Behaviour(drop="after", times=None),
            Behaviour(drop="before", times=None),
        ]
    )
    before = (Behaviour(times=number - 1), waiting)
    return Kill("requests", Fault(after_requests=number), before)


def _choose_call(
    program: str, rng: random.Random, points: Sequence[str] | None = None
) -> Injection:
    point = rng.choice(points or sorted(POINTS[program]))
    places: list[Literal["before", "after", "halfway"]] = ["before", "after"]
    if (program, point) == ("target", "write"):
        places.append("halfway")
    most = _MOST_CALLS[program].get(point, _USUAL_CALLS[program])
    by_worker = rng.random() < 0.5
    return Injection(point, rng.randint(1, most), rng.choice(places), by_worker=by_worker)


def try_kills(scenario: Scenario, kills: Sequence[Kill]) -> KillResult:
    """Kill run after run, rows changing between them; then run clean, and judge."""
    hits = 0
    with scenario:
        for kill in kills:
            scenario.script(*kill.behaviours)
            hits += _was_killed(scenario.run(kill.fault))
            scenario.ledger.change(events=12)
        scenario.finish()
        scenario.ledger.flip_moods()
        scenario.finish()
        return KillResult(len(kills), hits, scenario.judge())


def _was_killed(codes: ExitCodes) -> bool:
    """Whether a program was killed; if only a worker was, the target fails."""
    return -signal.SIGKILL in (codes.tap, codes.target) or (codes.tap, codes.target) == (0, 4)


def chains(kind: Kind, count: int, rng: random.Random) -> Iterator[list[Kill]]:
    """So many kills, in chains of `CHAIN`."""
    kills = [choose_kill(kind, rng) for _ in range(count)]
    return (kills[start : start + CHAIN] for start in range(0, count, CHAIN))


def soak(soak: Soak) -> Iterable[SoakRow]:
    """Kills of all kinds in all setups."""
    with ThreadPoolExecutor(THREADS) as threads:
        for kind in KINDS:
            tally = Tally(f"kill -9: {kind}")
            rng = soak.rng(kind)
            plans = list(chains(kind, soak.count(FULL_COUNT // len(KINDS)), rng))
            scenarios = [
                Scenario(
                    soak.fork_server,
                    soak.folder / f"{kind}-{number}",
                    seed=rng.randrange(10**9),
                    **SETUPS[number % len(SETUPS)],
                )
                for number in range(len(plans))
            ]
            results = threads.map(catching(try_kills), scenarios, plans)
            for (result, problem), plan in zip(results, plans, strict=True):
                soak.show_progress(f"{tally.scenario}: {tally.cases}")
                if result is None:
                    tally.add(cases=len(plan), faults=0, failed=1)
                    soak.report(f"{problem} after {plan}")
                    continue
                tally.add(cases=result.cases, faults=result.hits, verdict=result.verdict)
                if result.verdict.violations:
                    soak.report(f"{result.verdict.violations} after {plan}")
            yield tally.row()
