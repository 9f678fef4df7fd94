from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text()
PRODUCT = ("mssql_reverse_etl", "program_kit", "tap_mssql_query", "target_pipelines")
_PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*(?:/|\.py|\.md)")


def _paths_in(text: str) -> set[str]:
    """The paths of files and folders (with a final slash) in the code spans of a Markdown text."""
    words = " ".join(re.findall(r"`([^`\n]+)`", text)).split()
    return {word for word in words if _PATH.fullmatch(word)}


def _rows() -> set[str]:
    """The paths in the first column of the page's tables."""
    return _paths_in("\n".join(re.findall(r"^\| ([^|]*) \|", PAGE, re.MULTILINE)))


def _subpackages(package: str) -> set[str]:
    return {f"{path.parent.relative_to(ROOT)}/" for path in (ROOT / package).glob("*/__init__.py")}


@pytest.mark.parametrize("package", [*PRODUCT, "sandbox"])
def test_every_subpackage_has_a_row(package):
    """The tables of the architecture page have a row for each folder of a package."""
    assert _subpackages(package) - _rows() == set()


@pytest.mark.parametrize("package", PRODUCT)
def test_every_top_level_module_has_a_row(package):
    """A module outside the subpackages has a row of its own, or its package has one."""
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / package).glob("[!_]*.py")}

    assert f"{package}/" in _rows() or modules - _rows() == set()


def test_page_names_only_paths_that_exist():
    """No row and no sentence names a file or folder that was moved or removed."""
    assert {path for path in _paths_in(PAGE) if not (ROOT / path).exists()} == set()


FORBIDDEN_IMPORTS = {
    "Floors": ("target_pipelines/api/outcomes.py", "tap_mssql_query.errors"),
    "The programs do not need the sandbox": ("program_kit/console.py", "sandbox.demo"),
    "Call types import what any plugin may import": (
        "plugins/target_pipelines_calls/track.py",
        "target_pipelines.api.calls",
    ),
    "No import circles": ("tap_mssql_query/errors.py", "tap_mssql_query.tap"),
}


@pytest.fixture(scope="module")
def packages(tmp_path_factory) -> Path:
    """A copy of the packages and of the import contracts."""
    copy: Path = tmp_path_factory.mktemp("packages")
    shutil.copy2(ROOT / "pyproject.toml", copy)
    for name in (*PRODUCT, "sandbox", "plugins"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def _lint_imports(packages: Path) -> subprocess.CompletedProcess[str]:
    path = f"{packages}{os.pathsep}{packages / 'plugins'}"
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=packages,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("contract", FORBIDDEN_IMPORTS)
def test_forbidden_import_breaks_its_contract(packages, contract):
    """An import that a contract forbids fails `make check`; without it all contracts are kept."""
    module, imported = FORBIDDEN_IMPORTS[contract]
    file = packages / module
    text = file.read_text()
    try:
        file.write_text(f"{text}\nimport {imported}\n")
        broken = _lint_imports(packages)
    finally:
        file.write_text(text)

    assert broken.returncode == 1, broken.stdout + broken.stderr
    assert re.search(rf"^{re.escape(contract)}.* BROKEN$", broken.stdout, re.MULTILINE)


def test_unchanged_packages_keep_all_contracts(packages):
    """Nothing but the forbidden import breaks a contract in the test above."""
    done = _lint_imports(packages)

    assert done.returncode == 0, done.stdout + done.stderr
