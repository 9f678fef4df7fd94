from __future__ import annotations

import pytest

from tests.packaging.conftest import ROOT
from tests.reliability.state_machine.guards import GUARDS
from tests.reliability.state_machine.machine import TargetMachine

PAGE = (ROOT / "docs" / "state-machine.md").read_text()
ACTIONS = [rule.function.__name__ for rule in TargetMachine.setup_state().rules]


@pytest.mark.parametrize("guard", GUARDS)
def test_page_lists_the_guard_and_its_violation(guard):
    """docs/state-machine.md has a row for each guard, with the violations of its removal."""
    (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| {guard} |"))

    assert all(violation in row for violation in GUARDS[guard][1].split("|"))


@pytest.mark.parametrize("action", ACTIONS)
def test_page_explains_the_action(action):
    """docs/state-machine.md has a row for each action."""
    assert f"| `{action}` |" in PAGE
