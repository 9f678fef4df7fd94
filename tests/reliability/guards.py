"""Guards that a started program can run without, so that a test sees whether they are missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

REMOVALS: Mapping[str, Callable[[], None]] = {}


def remove(names: Iterable[str]) -> None:
    """Take these guards out of this process."""
    for name in names:
        REMOVALS[name]()
