"""How much of each sweep runs: a sample by default, all of it with RELIABILITY_SOAK=1."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

_T = TypeVar("_T")
IS_SOAK = os.environ.get("RELIABILITY_SOAK", "") == "1"


def some_of(cases: Sequence[_T], count: int) -> list[_T]:
    """So many of the cases, evenly spread; all of them in a soak."""
    return list(cases) if IS_SOAK else spread(cases, count)


def spread(cases: Sequence[_T], count: int) -> list[_T]:
    """So many of the cases, evenly spread."""
    if count >= len(cases):
        return list(cases)
    return [cases[index * len(cases) // count] for index in range(count)]


def amount(few: int, many: int) -> int:
    """How many cases of a kind are generated; RELIABILITY_CASES says so for all kinds."""
    asked = os.environ.get("RELIABILITY_CASES")
    return int(asked) if asked else many if IS_SOAK else few
