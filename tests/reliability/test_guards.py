from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.collector import Behaviour
from sandbox.sql_server.faults import AnswerError
from sandbox.sql_server.results import SqlError
from tests.reliability.guards import POWER, REMOVALS
from tests.reliability.injection import Injection
from tests.reliability.pipe import NO_FAULT, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.reliability.scenario import Scenario

KILLED_AFTER_STATE = Fault(target=Injection("print state", when="after"))
FAILING = [Behaviour(status=503, probability=0.5, times=12, seed=3)]


@dataclass(frozen=True)
class Case:
    """A run with a fault before a clean run, and the violation that the oracle must find."""

    violation: str
    fault: Fault = NO_FAULT
    behaviours: list[Behaviour] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    prepare: Callable[[Scenario], object] = lambda _scenario: None
    destination: int = 0
    flips: int = 0
    always_removed: tuple[str, ...] = ()


def _redirect(scenario: Scenario) -> None:
    place = {"Location": scenario.collectors[0].url.replace("/v1", "/calls")}
    scenario.script(Behaviour(status=302, headers=place, times=2))


def _fail_reading(scenario: Scenario) -> None:
    error = SqlError(8134, "Divide by zero error encountered.", severity=16)
    scenario.server.faults.add(AnswerError(error=error, after_rows=10, matching="FROM events"))


STALLED = [Behaviour(status=503, contains='"userId":"3"', times=3)]
CASES = {
    "states wait for their rows": Case(
        "premature_states",
        Fault(after_requests=9),
        [Behaviour(times=2), Behaviour(status=503, times=None)],
    ),
    "dead letters before states": Case("premature_states", KILLED_AFTER_STATE),
    "dead letters are on the disk": Case("missing", KILLED_AFTER_STATE, always_removed=(POWER,)),
    "a person has one lane": Case("out_of_order", behaviours=FAILING),
    "a person has one worker": Case("out_of_order", behaviours=FAILING, options={"processes": 2}),
    "ids know the window": Case("missing", flips=2),
    "ids are the same again": Case("repeats_with_other_ids", Fault(after_requests=4)),
    "rejected batches are split": Case("spurious"),
    "failures are retried": Case("missing", behaviours=[Behaviour(status=503, times=3)]),
    "login pages are not deliveries": Case(
        "missing", behaviours=[Behaviour(status=200, body="<html>Log in</html>", times=2)]
    ),
    "redirects are not followed": Case("missing", prepare=_redirect),
    "failed syncs have no state": Case("premature_states", prepare=_fail_reading),
    "states wait for all workers": Case(
        "premature_states", KILLED_AFTER_STATE, STALLED, options={"processes": 2}
    ),
    "states wait for all destinations": Case(
        "premature_states",
        KILLED_AFTER_STATE,
        [Behaviour(status=503, times=3)],
        options={"destinations": 2},
        destination=1,
    ),
    "calls are counted": Case("uncounted"),
}


def test_every_guard_has_a_case():
    """Every guard that can be removed is tested."""
    assert REMOVALS.keys() == {*CASES, POWER}


@pytest.mark.parametrize("is_removed", [True, False], ids=["removed", "in place"])
@pytest.mark.parametrize("guard", CASES)
def test_oracle_notices_when_a_guard_is_missing(scenario, guard, is_removed):
    """Without the guard the oracle finds the violation; with the guard it finds none."""
    case = CASES[guard]
    removed = (*case.always_removed, *([guard] if is_removed else []))
    with scenario(removed=removed, **case.options) as tried:
        tried.script(*case.behaviours, destination=case.destination)
        case.prepare(tried)
        tried.run(case.fault)
        tried.finish()
        for _ in range(case.flips):
            tried.ledger.flip_moods()
            tried.finish()

        violations = tried.judge().violations

    assert (case.violation in violations) if is_removed else not violations, violations
