"""The size of each sweep: a sample by default, everything with RELIABILITY_SOAK=1."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

_T = TypeVar("_T")
IS_SOAK = os.environ.get("RELIABILITY_SOAK", "") == "1"


def sample_of(cases: Sequence[_T], count: int) -> list[_T]:
    """`count` of the cases, evenly spaced; all of them in a soak."""
    return list(cases) if IS_SOAK else evenly_spaced(cases, count)


def evenly_spaced(cases: Sequence[_T], count: int) -> list[_T]:
    """`count` of the cases, evenly spaced."""
    if count >= len(cases):
        return list(cases)
    return [cases[index * len(cases) // count] for index in range(count)]


def case_count(few: int, many: int) -> int:
    """How many cases are generated: `few`, `many` in a soak, or RELIABILITY_CASES."""
    asked = os.environ.get("RELIABILITY_CASES")
    return int(asked) if asked else many if IS_SOAK else few
