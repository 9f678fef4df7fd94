"""Signals in each phase of each program: an ordered end, or none at all, and nothing lost."""

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
from tests.reliability.kills import SETUPS, THREADS, Tried
from tests.reliability.pipe import Fault
from tests.reliability.registry import Soak, SoakRow, Tally
from tests.reliability.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.reliability.programs import Ends

Program = Literal["tap", "target"]

PHASES: dict[Program, dict[str, tuple[str, int]]] = {
    "target": {
        "connecting": ("connect", 1),
        "fetching": ("read", 2),
        "mapping": ("encode", 1),
        "sending": ("send", 3),
        "waiting for an answer": ("receive", 2),
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
"""Phase → a point of the program, and at which call of it the phase is reached."""

ENDING = {"SIGTERM": 143, "SIGINT": 130, "SIGHUP": 129}
HARMLESS = ("SIGSTOP", "SIGPIPE")
READER_GONE = "reader gone"
SIGNALS = (*ENDING, *HARMLESS, READER_GONE)
END_SECONDS = 20.0
_ROUNDS = 8
_CHAIN = 6
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

    def explain_end(self, ends: Ends) -> str:
        """What is wrong with how the programs ended; empty if nothing is."""
        code = ends.target if self.program == "target" else ends.tap
        if self.name == READER_GONE:
            # Once all is settled, the states may have come out before their reader went.
            expected = {0, 141} if self.phase == "draining" else {141}
        elif self.name in ENDING:
            expected = {ENDING[self.name]}
        else:
            expected = {0}
        return "" if code in expected else f"{self}: {ends}"


def all_cases() -> list[Case]:
    """Signals by phases by programs; of a tap's reader that is gone, the kills of targets tell."""
    return [
        Case(program, phase, name)
        for program, phases in PHASES.items()
        for phase, name in itertools.product(phases, SIGNALS)
        if (program, name) != ("tap", READER_GONE)
    ]


@dataclass(frozen=True, slots=True)
class TriedSignals(Tried):
    """With the ends that were not as they should be."""

    wrong_ends: tuple[str, ...]


def try_signals(scenario: Scenario, cases: Sequence[Case]) -> TriedSignals:
    """One run for each signal, rows changing between them; then a clean one, and the verdict."""
    wrong = []
    with scenario:
        for case in cases:
            scenario.server.faults.clear()
            if case.phase == "retrying":
                scenario.script(Behaviour(status=503, times=3))
                scenario.server.faults.add(AnswerError(error=_DEADLOCK, matching="FROM events"))
            wrong.append(case.explain_end(scenario.run(case.fault, END_SECONDS)))
            scenario.script()
            scenario.ledger.change(events=25)
        scenario.finish()
        wrong_ends = tuple(filter(None, wrong))
        struck = len(cases) - len(wrong_ends)
        return TriedSignals(len(cases), struck, scenario.judge(), wrong_ends)


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
        for tried in threads.map(try_signals, scenarios, plans):
            tally.add(cases=tried.cases, faults=tried.struck, verdict=tried.verdict)
            soak.say(f"{tally.scenario}: {tally.cases}")
            if tried.wrong_ends or tried.verdict.violations:
                soak.report(f"{tried.verdict.violations} {tried.wrong_ends}")
    yield tally.row()
