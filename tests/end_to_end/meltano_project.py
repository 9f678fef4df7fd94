"""A Meltano project in a temporary folder: a copy of this repository, installed by Meltano."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from tests.end_to_end.meltano_environment import FOLDER, ROOT
from tests.package_index import uv_environment
from tests.packaging.test_plugins import NAMED_BLOCK

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TIMEOUT_SECONDS = 100
_INHERITED = ("TAP_MSSQL_QUERY_", "TARGET_PIPELINES_", "MELTANO_")
_QUIET = {
    "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
    "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
    "NO_COLOR": "1",
    "COLUMNS": "200",
}


@dataclass(frozen=True, slots=True)
class MeltanoResult:
    """The exit code of a command, and its output with the log."""

    exit_code: int
    output: str


@dataclass(frozen=True, slots=True)
class MeltanoProject:
    """A folder with a meltano.yml, and the environment variables for Meltano."""

    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        """The project's meltano.yml."""
        return self.folder / "meltano.yml"

    def with_settings(self, **settings: str) -> MeltanoProject:
        """The same project with further environment variables."""
        return replace(self, settings={**self.settings, **settings})

    def replace_text(self, old: str, new: str) -> None:
        """Replace `old` in meltano.yml, which must contain it."""
        text = self.file.read_text(encoding="utf-8")
        assert old in text
        self.file.write_text(text.replace(old, new), encoding="utf-8")

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start Meltano; its output and its log come from one pipe."""
        return subprocess.Popen(
            [str(FOLDER / "bin" / "meltano"), *map(str, arguments)],
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str | Path) -> MeltanoResult:
        """Run Meltano until it ends."""
        with self.start(*arguments) as process:
            output, _ = process.communicate(timeout=_TIMEOUT_SECONDS)
            return MeltanoResult(process.returncode, output)

    def run_well(self, *arguments: str | Path) -> str:
        """Run Meltano, which must succeed, and return its output."""
        done = self.run(*arguments)
        assert done.exit_code == 0, done.output
        return done.output

    def _environment(self) -> dict[str, str]:
        return {**_clean_environment(), **_QUIET, **self.settings}


@cache
def _clean_environment() -> dict[str, str]:
    """The environment without settings; uv installs the pinned versions."""
    inherited = {
        name: value
        for name, value in uv_environment().items()
        if not name.startswith(_INHERITED) and name != "VIRTUAL_ENV"
    }
    return {**inherited, "UV_CONSTRAINT": str(ROOT / "constraints.txt")}


def kill_all(process: subprocess.Popen[str]) -> None:
    """Kill a started command and the programs that it runs."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=_TIMEOUT_SECONDS)


def copy_repository(folder: Path) -> MeltanoProject:
    """Copy what a clone contains to a folder, so that the repository stays unchanged."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return MeltanoProject(folder)


def build_wheel(source: Path, folder: Path) -> str:
    """Build the distribution; returns the value of UV_FIND_LINKS with which uv finds it."""
    command = [sys.executable, "-m", "uv", "build", "--quiet", "--wheel", "--no-build-isolation"]
    subprocess.run(
        [*command, "--out-dir", str(folder), str(source)],
        env={**_clean_environment(), "VIRTUAL_ENV": sys.prefix},
        check=True,
    )
    return ",".join(filter(None, [_clean_environment().get("UV_FIND_LINKS"), str(folder)]))


def read_named_blocks() -> dict[str, str]:
    """The files that plugins/README.md shows."""
    return dict(NAMED_BLOCK.findall((ROOT / "plugins" / "README.md").read_text()))


def require_meltano() -> None:
    """Raise FileNotFoundError unless Meltano is installed."""
    program = FOLDER / "bin" / "meltano"
    if not os.access(program, os.X_OK):
        raise FileNotFoundError(f"{program.relative_to(ROOT)} is missing: run `make setup`")
