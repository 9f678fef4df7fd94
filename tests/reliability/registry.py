"""What a soak consists of: functions that run scenarios and return the rows of one table."""

from __future__ import annotations

import random
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tests.reliability.counts import evenly_spaced
from tests.reliability.oracle import Verdict
from tests.reliability.single_runs import Programs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tests.reliability.programs import ForkServer

_T = TypeVar("_T")
FULL_MINUTES = 60


@dataclass(frozen=True, slots=True)
class Soak:
    """What a scenario needs to know about the whole run.

    Attributes:
        fork_server: starts the programs.
        folder: for the scenario's files; empty at first.
        seed: of all random generators.
        minutes: how long the whole run may take; at `FULL_MINUTES` all counts are full.
        show_progress: shows which scenario runs, and how many cases it has tried.
        report: reports a case that broke a promise, so that it can be run again.
    """

    fork_server: ForkServer
    folder: Path
    seed: int
    minutes: float = FULL_MINUTES
    show_progress: Callable[[str], None] = lambda _text: None
    report: Callable[[str], None] = lambda _text: None

    def count(self, full: int) -> int:
        """How many of `full` cases this run tries; at least one."""
        return max(round(full * min(self.minutes / FULL_MINUTES, 1)), 1)

    def rng(self, name: str) -> random.Random:
        """A random generator; the same for the same seed and name."""
        return random.Random(f"{self.seed} {name}")

    def make_programs(self) -> Programs:
        """Both programs, in a new folder."""
        return Programs(self.fork_server, Path(tempfile.mkdtemp(dir=self.folder)))


NO_VIOLATIONS = Verdict()


@dataclass(frozen=True, slots=True)
class SoakRow:
    """One line of the table.

    Attributes:
        scenario: its name.
        cases: how many faults were planned.
        faults: how many of them were injected; some come after the end of a run.
        verdict: the oracle's verdict over all cases.
        seconds: how long the scenario took.
        failed: cases that broke a promise without a column of its own: a crash, a hang, a secret
            in a message, an exit code or an outcome that differs from the documented one.
    """

    scenario: str
    cases: int
    faults: int
    verdict: Verdict
    seconds: float
    failed: int = 0

    @property
    def has_broken_a_promise(self) -> bool:
        """Whether any case broke a promise."""
        return bool(self.failed or self.verdict.violations)


@dataclass(slots=True)
class Tally:
    """Adds up a row while its cases run."""

    scenario: str
    cases: int = 0
    faults: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    failed: int = 0
    _began: float = field(default_factory=time.monotonic)

    def add(
        self, *, cases: int, faults: int, verdict: Verdict = NO_VIOLATIONS, failed: int = 0
    ) -> None:
        """Add the results of some cases."""
        self.cases += cases
        self.faults += faults
        self.verdict += verdict
        self.failed += failed

    def row(self) -> SoakRow:
        """The finished row."""
        seconds = time.monotonic() - self._began
        return SoakRow(self.scenario, self.cases, self.faults, self.verdict, seconds, self.failed)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one case that did not raise.

    Attributes:
        was_injected: whether its fault was injected before the run ended.
        verdict: the violations that have columns.
    """

    was_injected: bool = True
    verdict: Verdict = NO_VIOLATIONS


def run_cases(
    soak: Soak,
    scenario: str,
    cases: Sequence[_T],
    try_case: Callable[[_T], Outcome | None],
    *,
    threads: int = 1,
) -> SoakRow:
    """Run a part of the cases, evenly spaced, as one row; a case that raises counts as failed."""
    tally, chosen = Tally(scenario), evenly_spaced(cases, soak.count(len(cases)))

    def attempt(case: _T) -> tuple[Outcome, str]:
        try:
            return try_case(case) or Outcome(), ""
        except Exception as error:  # noqa: BLE001  # the other cases still run
            return Outcome(), f"{type(error).__name__}: {error}"

    with ThreadPoolExecutor(threads) as pool:
        for case, (outcome, problem) in zip(chosen, pool.map(attempt, chosen), strict=True):
            tally.add(
                cases=1, faults=outcome.was_injected, verdict=outcome.verdict, failed=bool(problem)
            )
            soak.show_progress(f"{scenario}: {tally.cases}")
            if problem or outcome.verdict.violations:
                soak.report(f"{scenario}: {case}: {problem or outcome.verdict.violations}")
    return tally.row()


def catching(try_case: Callable[..., _T]) -> Callable[..., tuple[_T | None, str]]:
    """Try a case: its result, or why it raised, so that the other cases still run."""

    def attempt(*arguments: object) -> tuple[_T | None, str]:
        try:
            return try_case(*arguments), ""
        except Exception as error:  # noqa: BLE001  # a hang or a crash is counted
            return None, f"{type(error).__name__}: {error}"

    return attempt


def describe(rows: Iterable[SoakRow]) -> str:
    """The rows as a table in Markdown."""
    headings = (
        "scenario",
        "cases",
        "faults injected",
        "repeats seen",
        "missing",
        "corrupt",
        "spurious",
        "out of order",
        "premature states",
        "repeats with other ids",
        "uncounted",
        "failed otherwise",
        "seconds",
    )
    lines = [f"| {' | '.join(headings)} |", f"| --- |{' ---: |' * (len(headings) - 1)}"]
    for row in rows:
        seen = row.verdict
        numbers = (
            row.cases,
            row.faults,
            seen.repeats,
            seen.missing,
            seen.corrupt,
            seen.spurious,
            seen.out_of_order,
            seen.premature_states,
            seen.repeats_with_other_ids,
            seen.uncounted,
            row.failed,
            round(row.seconds),
        )
        lines.append(f"| {row.scenario} | {' | '.join(f'{number:,}' for number in numbers)} |")
    return "\n".join(lines) + "\n"
