"""Problems of a configuration: sentences that know which setting they are about."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Container

_NAME = re.compile(r"`(\w+)`")

Path: TypeAlias = "tuple[str | int, ...]"
"""Keys and indexes that lead to a setting; empty for the whole configuration."""


class Problem(str):
    """A sentence without a value of the configuration.

    Attributes:
        path: leads to the setting that the sentence is about.
    """

    __slots__ = ("path",)

    path: Path

    def __new__(cls, sentence: str, path: Path = ()) -> Problem:
        """A problem of the setting at a path."""
        problem = super().__new__(cls, sentence)
        problem.path = path
        return problem


def path_of(problem: str) -> Path:
    """Where a problem is; the whole configuration for a sentence that does not say."""
    return problem.path if isinstance(problem, Problem) else ()


def first_named(sentence: str, known: Container[str]) -> Path:
    """The path of the first known setting that a sentence names; empty if it names none."""
    return tuple(islice((name for name in _NAME.findall(sentence) if name in known), 1))


def below(prefix: Path, problem: str) -> Problem:
    """A problem of a configuration that is part of another one."""
    return Problem(problem, (*prefix, *path_of(problem)))
