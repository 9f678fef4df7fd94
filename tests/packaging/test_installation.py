from __future__ import annotations

import subprocess
import sys
import zipfile

import pytest

from target_pipelines.plugins.loading import built_in_entry_points, load_plugins
from tests.packaging.conftest import INSTALLERS

PACKAGES = {
    "mssql_reverse_etl",
    "program_kit",
    "tap_mssql_query",
    "target_pipelines",
    "target_pipelines_calls",
}
CALL_TYPES = load_plugins(entries=built_in_entry_points()).call_types.names()

_REPORT_PACKAGES = """
import importlib.util as util
names = ("mssql_reverse_etl", "program_kit", "tap_mssql_query", "target_pipelines",
         "target_pipelines_calls", "sandbox", "tests", "plugins", "benchmarks")
print(*(name for name in names if util.find_spec(name)))
"""


@pytest.fixture(scope="session")
def wheel_names(source, tmp_path_factory) -> set[str]:
    """Names of the files in the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "--wheel-dir", folder, source], check=True)
    (wheel,) = folder.glob("mssql_reverse_etl-*.whl")
    with zipfile.ZipFile(wheel) as opened:
        return set(opened.namelist())


def test_wheel_holds_the_packages_and_nothing_else(wheel_names):
    """The wheel has no sandbox, no tests and nothing called plugins."""
    tops = {name.split("/")[0] for name in wheel_names}

    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_package_is_marked_as_typed(wheel_names, package):
    """Each package contains py.typed."""
    assert f"{package}/py.typed" in wheel_names


def test_wheel_contains_the_license(wheel_names):
    """The license is distributed with the code."""
    assert any(name.endswith("licenses/LICENSE") for name in wheel_names)


@pytest.mark.parametrize("installer", INSTALLERS)
def test_installed_programs_run_outside_the_repository(
    installer, environment, source, run, request
):
    """With every installer the programs start and find the built-in call types."""
    run(*INSTALLERS[installer](environment, source))

    programs = environment / "bin"
    assert "tap-mssql-query" in run(programs / "tap-mssql-query", "--version")
    assert "target-pipelines" in run(programs / "target-pipelines", "--version")
    assert "mssql-reverse-etl" in run(programs / "mssql-reverse-etl", "--version")
    listed = run(programs / "target-pipelines", "--list-call-types")
    assert all(name in listed for name in CALL_TYPES)


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_installation_adds_only_the_packages(installer, environment, source, run):
    """Nothing called sandbox, tests, plugins or benchmarks becomes importable."""
    run(*INSTALLERS[installer](environment, source))

    found = run(environment / "bin" / "python", "-I", "-c", _REPORT_PACKAGES)

    assert set(found.split()) == PACKAGES
