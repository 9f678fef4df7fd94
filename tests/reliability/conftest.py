"""The nursery and scenarios for the tests here; numbers come from seeds, which are printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.reliability.programs import Nursery
from tests.reliability.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Starts the programs."""
    with Nursery() as nursery:
        yield nursery


@pytest.fixture
def scenario(nursery: Nursery, tmp_path: Path) -> Callable[..., Scenario]:
    """Makes scenarios in folders of their own."""
    made: list[Scenario] = []

    def make(**options: Any) -> Scenario:
        made.append(Scenario(nursery, tmp_path / str(len(made)), **{"seed": 1, **options}))
        return made[-1]

    return make
