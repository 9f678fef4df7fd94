"""Signals in each phase of each program: it ends as documented or continues, and loses nothing."""

from __future__ import annotations

import itertools
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sandbox.collector import Behaviour
from sandbox.sql_server.faults import AnswerError
from sandbox.sql_server.results import SqlError
from tests.reliability.injection import Injection
from tests.reliability.kills import SETUPS, THREADS, KillResult
from tests.reliability.pipe import Fault
from tests.reliability.registry import Soak, SoakRow, Tally, catching
from tests.reliability.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.reliability.programs import ExitCodes

Program = Literal["tap", "target"]

PHASES: dict[Program, dict[str, tuple[str, int]]] = {
    "target": {
        "connecting": ("connect", 1),
        "fetching": ("read", 2),
        "mapping": ("encode", 1),
        "sending": ("send", 3),
        "waiting for a response": ("receive", 2),
        "retrying": ("retry", 1),
        "rejecting": ("fsync", 1),
        "draining": ("drain", 1),
        "writing state": ("print state", 1),
    },
    "tap": {
        "connecting": ("connect", 2),
        "fetching": ("fetch", 2),
        "mapping": ("write", 2),
        "sending": ("write", 3),
        "retrying": ("retry", 1),
        "writing state": ("move bookmark", 1),
    },
}
"""Phase → a point of the program, and the call of it at which the phase is reached."""

ENDING = {"SIGTERM": 143, "SIGINT": 130, "SIGHUP": 129}
HARMLESS = ("SIGSTOP", "SIGPIPE")
READER_GONE = "reader gone"
SIGNALS = (*ENDING, *HARMLESS, READER_GONE)
END_SECONDS = 20.0
_ROUNDS = 8
_CHAIN = 6
_MOST_TRIES = 3
"""How often a signal is tried at most until its phase is reached."""
_DEADLOCK = SqlError(1205, "Transaction was deadlocked on lock resources.", severity=13)


@dataclass(frozen=True, slots=True)
class Case:
    """A signal to a program in a phase."""

    program: Program
    phase: str
    name: str

    @property
    def fault(self) -> Fault:
        """The fault that sends it."""
        point, number = PHASES[self.program][self.phase]
        if self.name == READER_GONE:
            own = Injection(point, number, signal_number=signal.SIGSTOP)
            return Fault(target=own, closes_states=True)
        own = Injection(point, number, signal_number=signal.Signals[self.name])
        return Fault(target=own) if self.program == "target" else Fault(tap=own)

    def explain_end(self, codes: ExitCodes) -> str:
        """Why the exit codes are wrong; empty if they are right."""
        code = codes.target if self.program == "target" else codes.tap
        if self.name == READER_GONE:
            # Once everything is settled, the states may be printed before their reader is gone.
            expected = {0, 141} if self.phase == "draining" else {141}
        elif self.name in ENDING:
            expected = {ENDING[self.name]}
        else:
            expected = {0}
        return "" if code in expected else f"{self}: {codes}"


def all_cases() -> list[Case]:
    """All signals in all phases. A tap whose reader is gone is tested by killing targets."""
    return [
        Case(program, phase, name)
        for program, phases in PHASES.items()
        for phase, name in itertools.product(phases, SIGNALS)
        if (program, name) != ("tap", READER_GONE)
    ]


@dataclass(frozen=True, slots=True)
class SignalResult(KillResult):
    """The result of a chain of signals, with descriptions of wrong exit codes and hangs."""

    wrong_ends: tuple[str, ...]


def try_signals(scenario: Scenario, cases: Sequence[Case]) -> SignalResult:
    """One run for each signal, with row changes between them; then a clean run and the verdict.

    A signal whose phase was not reached is tried again.
    """
    wrong, hits = [], 0
    with scenario:
        for case in cases:
            for _ in range(_MOST_TRIES):
                end = _try_signal(scenario, case)
                if scenario.has_struck:
                    hits += 1
                    wrong.append(end)
                    break
        scenario.finish()
        return SignalResult(len(cases), hits, scenario.judge(), tuple(filter(None, wrong)))


def _try_signal(scenario: Scenario, case: Case) -> str:
    """Run once; why the end is wrong, empty if it is right."""
    scenario.server.faults.clear()
    if case.phase == "retrying":
        scenario.script(Behaviour(status=503, times=3))
        scenario.server.faults.add(AnswerError(error=_DEADLOCK, matching="FROM events"))
    codes = scenario.run(case.fault, END_SECONDS)
    scenario.script()
    scenario.ledger.change(events=25)
    return case.explain_end(codes)


def soak(soak: Soak) -> Iterable[SoakRow]:
    """All signals in all phases, in one process and in several, over several rounds."""
    cases = all_cases() * _ROUNDS
    rng = soak.rng("signals")
    rng.shuffle(cases)
    cases = cases[: soak.count(len(cases))]
    plans = [cases[start : start + _CHAIN] for start in range(0, len(cases), _CHAIN)]
    scenarios = [
        Scenario(
            soak.fork_server,
            soak.folder / f"signals-{number}",
            seed=rng.randrange(10**9),
            **SETUPS[number % len(SETUPS)],
        )
        for number in range(len(plans))
    ]
    tally = Tally("signals by phases")
    with ThreadPoolExecutor(THREADS) as threads:
        results = threads.map(catching(try_signals), scenarios, plans)
        for (result, problem), plan in zip(results, plans, strict=True):
            if result is None:
                tally.add(cases=len(plan), faults=0, failed=1)
                soak.report(f"{problem} after {plan}")
                continue
            tally.add(
                cases=result.cases,
                faults=result.hits,
                verdict=result.verdict,
                failed=len(result.wrong_ends),
            )
            soak.show_progress(f"{tally.scenario}: {tally.cases}")
            if result.wrong_ends or result.verdict.violations:
                soak.report(f"{result.verdict.violations} {result.wrong_ends}")
    yield tally.row()
