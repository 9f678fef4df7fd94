"""New virtual environments that contain the dependencies but not this distribution."""

from __future__ import annotations

import shutil
import site
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a clone contains, so that building it leaves the repository unchanged."""
    copy = tmp_path_factory.mktemp("source") / "clone"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="session")
def dependencies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Links to all installed packages but this one, so that no index is needed."""
    folder = tmp_path_factory.mktemp("dependencies")
    (installed,) = (Path(path) for path in site.getsitepackages()[:1])
    for entry in installed.iterdir():
        if "mssql_reverse_etl" not in entry.name and entry.suffix != ".pth":
            (folder / entry.name).symlink_to(entry)
    return folder


@pytest.fixture
def environment(tmp_path: Path, dependencies: Path) -> Path:
    """A new virtual environment."""
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(f"{dependencies}\n")
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., str]:
    """Runs a program in an empty folder outside the repository; returns its output."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def run_program(*command: str | Path) -> str:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=elsewhere,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run_program


Installer = Callable[[Path, Path], list[str | Path]]


def _with_pip(environment: Path, *what: str | Path) -> list[str | Path]:
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install"]
    return [*pip, "--quiet", "--no-index", "--no-deps", "--no-build-isolation", *what]


def _with_uv(environment: Path, *what: str | Path) -> list[str | Path]:
    python = environment / "bin" / "python"
    uv = [sys.executable, "-m", "uv", "pip", "install", "--python", str(python)]
    return [*uv, "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--no-cache", *what]


INSTALLERS: dict[str, Installer] = {
    "pip": _with_pip,
    "pip-editable": lambda environment, source: _with_pip(environment, "--editable", source),
    "uv": _with_uv,
    "uv-editable": lambda environment, source: _with_uv(environment, "--editable", source),
}
