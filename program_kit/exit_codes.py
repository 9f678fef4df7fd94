"""The exit code of a run in which several syncs failed: the worst of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

WORST_FIRST = (1, 6, 4, 3, 5, 2)
"""A bug, a plugin, the destination, SQL Server, too many rejected rows, the configuration."""


def worst_exit_code(exit_codes: Iterable[int]) -> int:
    """The worst of these exit codes; 0 if there are none. Unknown ones are as bad as a bug."""
    return min(exit_codes, key=_rank, default=0)


def _rank(exit_code: int) -> int:
    if exit_code == 0:
        return len(WORST_FIRST)
    return WORST_FIRST.index(exit_code) if exit_code in WORST_FIRST else 0
