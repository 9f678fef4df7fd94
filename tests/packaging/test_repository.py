from __future__ import annotations

import itertools
import os
import re
import subprocess
import tomllib

import pytest

from tests.packaging.conftest import ROOT

PINNED = re.compile(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.!+]+")
# Written so that this file does not match itself.
FOLDERS_OF_A_MACHINE = re.compile(r"(?<![\w.*}:/-])/(?:ho[m]e|wo[r]k|ro[o]t|Us[e]rs)/\w")
PACKAGE_INDEX = re.compile(r"https?://[^\s\"']*(?:/sim[p]le\b|pyp[i]\.org/pypi)")


def tracked_texts() -> dict[str, str]:
    """All text files under version control, by name."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    contents = {
        name: (ROOT / name).read_bytes()
        for name in listed.stdout.split("\0")
        if name and (ROOT / name).is_file()
    }
    return {name: raw.decode() for name, raw in contents.items() if _is_text(raw)}


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in raw


@pytest.mark.parametrize(
    "target", ["help", "setup", "demo", "test", "test-all", "check", "bench", "clean"]
)
def test_makefile_has_the_target(target):
    """The targets that the documentation names exist."""
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_readme_names_the_two_commands(command):
    """A newcomer finds the two commands in the README."""
    assert command in (ROOT / "README.md").read_text()


def test_gate_runs_make_test():
    """CI runs the same command as a developer, `make test`."""
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "exec make test"


@pytest.mark.parametrize(
    ("environment", "leaves_out_sweeps"), [("true", False), ("", True)], ids=["in CI", "elsewhere"]
)
def test_slow_sweeps_run_in_ci(environment, leaves_out_sweeps):
    """With CI=true `make test` runs every test; without it, all but those marked `slow`."""
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", "test"],
        cwd=ROOT,
        env={**os.environ, "CI": environment},
        check=True,
        capture_output=True,
        text=True,
    )

    (pytest_line,) = (line for line in done.stdout.splitlines() if "-m pytest" in line)
    assert ("not slow" in pytest_line) == leaves_out_sweeps
    assert "export CI=true" in (ROOT / ".ci" / "run").read_text()


def test_constraints_pin_versions_without_addresses():
    """constraints.txt has only sorted names and exact versions."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()

    assert [line for line in lines if not PINNED.fullmatch(line)] == []
    assert lines == sorted(lines, key=str.lower)


def test_every_dependency_is_pinned():
    """Each requirement in pyproject.toml has a version in constraints.txt."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *itertools.chain(*project["project"]["optional-dependencies"].values()),
        *itertools.chain(*project["dependency-groups"].values()),
    ]
    pinned = {
        _normal(line.split("==")[0]) for line in (ROOT / "constraints.txt").read_text().split()
    }

    assert [name for name in map(_normal, wanted) if name not in pinned] == []


def _normal(requirement: str) -> str:
    name = re.split(r"[^A-Za-z0-9_.-]", requirement)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def test_no_file_names_a_folder_of_a_machine():
    """The repository contains no path of a developer's machine."""
    found = [name for name, text in tracked_texts().items() if FOLDERS_OF_A_MACHINE.search(text)]

    assert found == []


def test_no_file_names_a_package_index():
    """The repository contains no address of a package index."""
    found = [name for name, text in tracked_texts().items() if PACKAGE_INDEX.search(text)]

    assert found == []
