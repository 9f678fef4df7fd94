"""No required and no tested version has a published vulnerability.

advisories.tsv is a snapshot; pip-audit (docs/security.md) has the current list.
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
    """Package → the first version without a known vulnerability."""
    fixed: dict[str, Version] = defaultdict(lambda: Version("0"))
    for row in csv.DictReader(ADVISORIES.read_text().splitlines(), delimiter="\t"):
        fixed[row["package"]] = max(fixed[row["package"]], Version(row["fixed"]))
    return fixed


def _lowest(requirements: Iterable[str]) -> dict[str, Version]:
    """Package → the lowest allowed version."""
    lowest: dict[str, Version] = {}
    for requirement in map(Requirement, requirements):
        bounds = [s.version for s in requirement.specifier if s.operator in (">=", "==", "~=")]
        lowest[canonicalize_name(requirement.name)] = max(
            map(Version, bounds), default=Version("0")
        )
    return lowest


def _too_low(lowest: Mapping[str, Version], fixed: Mapping[str, Version]) -> Sequence[str]:
    return [
        f"{name}: {version} is allowed, {fixed[name]} has no known vulnerability"
        for name, version in lowest.items()
        if name in fixed and version < fixed[name]
    ]


def _requirements() -> list[str]:
    """The requirements of pyproject.toml, with all extras and groups."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = settings["project"]["optional-dependencies"].values()
    groups = settings["dependency-groups"].values()
    return [*settings["project"]["dependencies"], *itertools.chain(*extras, *groups)]


def test_lowest_versions_have_no_known_vulnerability():
    """A resolver that takes the lowest versions of pyproject.toml gets no vulnerable one."""
    assert _too_low(_lowest(_requirements()), _fixed_in()) == []


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-meltano.txt"])
def test_pinned_versions_have_no_known_vulnerability(name):
    """No pinned version is vulnerable, indirect dependencies included."""
    pins = (ROOT / name).read_text().splitlines()

    lowest = _lowest(line for line in pins if line and not line.startswith("#"))

    assert _too_low(lowest, _fixed_in()) == []


def test_every_advisory_is_about_a_pinned_package():
    """A line for a package that is not used, or misspelled, would check nothing."""
    pins = _lowest((ROOT / "constraints.txt").read_text().splitlines())

    assert set(_fixed_in()) <= set(pins)


@pytest.mark.parametrize(
    ("requirement", "is_allowed"),
    [("requests>=2.33", True), ("requests>=2.32.4,<3", False), ("requests", False)],
)
def test_bound_below_a_fix_is_noticed(requirement, is_allowed):
    """A lower bound below the fix, or none at all, allows the vulnerable version."""
    assert bool(_too_low(_lowest([requirement]), {"requests": Version("2.33.0")})) != is_allowed
