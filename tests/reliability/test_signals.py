from __future__ import annotations

import pytest

from tests.reliability.signals import PHASES, SIGNALS, Case, all_cases, try_signals

PROGRAMS_AND_PHASES = [(program, phase) for program, phases in PHASES.items() for phase in phases]


def _sample(program, phase) -> list[Case]:
    """Two of the phase's signals; the phases take turns through all signals."""
    cases = [case for case in all_cases() if (case.program, case.phase) == (program, phase)]
    first = PROGRAMS_AND_PHASES.index((program, phase)) * 2 % len(SIGNALS)
    return [*cases, *cases][first : first + 2]


@pytest.mark.parametrize(("program", "phase"), PROGRAMS_AND_PHASES)
def test_signals_lose_nothing(scenario, program, phase):
    """The program ends with the signal's exit code, or continues; the next run sends the rest."""
    tried = try_signals(scenario(), _sample(program, phase))

    assert not tried.wrong_ends
    assert tried.hits == tried.cases
    assert not tried.verdict.violations
