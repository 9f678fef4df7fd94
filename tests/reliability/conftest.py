"""The fork server and scenarios; random numbers come from seeds, which failures print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.reliability.programs import ForkServer
from tests.reliability.replacements import Replacements
from tests.reliability.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    """Starts the programs."""
    with ForkServer() as fork_server:
        yield fork_server


@pytest.fixture
def code() -> Iterator[Replacements]:
    """Replaces functions for the length of a test."""
    with Replacements() as code:
        yield code


@pytest.fixture
def scenario(fork_server: ForkServer, tmp_path: Path) -> Callable[..., Scenario]:
    """Makes scenarios in folders of their own."""
    made: list[Scenario] = []

    def make(**options: Any) -> Scenario:
        made.append(Scenario(fork_server, tmp_path / str(len(made)), **{"seed": 1, **options}))
        return made[-1]

    return make
