"""The exit code of a program whose syncs or streams failed in different ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

WORST_FIRST = (1, 6, 4, 3, 5, 2)
"""A bug, a plugin's fault, a failed delivery, a failed server, too many rejected rows, a wrong
setting: a failure that a later run may cure by itself ranks below one that somebody must look at,
and a wrong setting, which is the plainest to mend, comes last."""


def worst_exit_code(codes: Iterable[int]) -> int:
    """The worst of these exit codes; 0 if there are none. An unknown one counts as a bug."""
    ranks = [WORST_FIRST.index(code) if code in WORST_FIRST else 0 for code in codes if code]
    return WORST_FIRST[min(ranks)] if ranks else 0
