"""No version with a published hole is allowed: of what is asked for, nor of what is tested.

advisories.tsv is what was known when it was last changed; pip-audit (docs/security.md) asks anew.
"""

from __future__ import annotations

import csv
import itertools
import tomllib
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.packaging.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ADVISORIES = ROOT / "tests" / "reliability" / "advisories.tsv"


def _fixed_in() -> dict[str, Version]:
    """Package → the first version without any of the holes."""
    fixed: dict[str, Version] = defaultdict(lambda: Version("0"))
    for row in csv.DictReader(ADVISORIES.read_text().splitlines(), delimiter="\t"):
        fixed[row["package"]] = max(fixed[row["package"]], Version(row["fixed"]))
    return fixed


def _lowest(requirements: Iterable[str]) -> dict[str, Version]:
    """Package → the lowest version that a requirement allows."""
    lowest: dict[str, Version] = {}
    for requirement in map(Requirement, requirements):
        bounds = [s.version for s in requirement.specifier if s.operator in (">=", "==", "~=")]
        lowest[canonicalize_name(requirement.name)] = max(
            map(Version, bounds), default=Version("0")
        )
    return lowest


def _too_low(lowest: Mapping[str, Version], fixed: Mapping[str, Version]) -> Sequence[str]:
    return [
        f"{name}: {version} is allowed, {fixed[name]} has no known hole"
        for name, version in lowest.items()
        if name in fixed and version < fixed[name]
    ]


def _asked_for() -> list[str]:
    """What pyproject.toml asks for, in its extras and groups too."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = settings["project"]["optional-dependencies"].values()
    groups = settings["dependency-groups"].values()
    return [*settings["project"]["dependencies"], *itertools.chain(*extras, *groups)]


def test_lowest_versions_have_no_published_hole():
    """A resolver that takes the lowest versions of pyproject.toml gets none of them."""
    assert _too_low(_lowest(_asked_for()), _fixed_in()) == []


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-meltano.txt"])
def test_tested_versions_have_no_published_hole(name):
    """Neither do those that are pinned; those that come with a dependency are among them."""
    pins = (ROOT / name).read_text().splitlines()

    lowest = _lowest(line for line in pins if line and not line.startswith("#"))

    assert _too_low(lowest, _fixed_in()) == []


def test_every_advisory_is_of_something_that_is_installed():
    """A line for a package that left, or that is misspelt, guards nothing."""
    pins = _lowest((ROOT / "constraints.txt").read_text().splitlines())

    assert set(_fixed_in()) <= set(pins)


@pytest.mark.parametrize(
    ("requirement", "is_allowed"),
    [("requests>=2.33", True), ("requests>=2.32.4,<3", False), ("requests", False)],
)
def test_bound_below_a_fix_is_noticed(requirement, is_allowed):
    """A lower bound, and none at all, let the hole in."""
    assert bool(_too_low(_lowest([requirement]), {"requests": Version("2.33.0")})) != is_allowed
