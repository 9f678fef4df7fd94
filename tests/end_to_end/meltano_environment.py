"""Installs Meltano, with the versions of constraints-meltano.txt, in a virtual environment.

Run it with `python -m tests.end_to_end.meltano_environment FOLDER`, as the Makefile does. The
product does not depend on Meltano, and their dependencies stay apart.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.package_index import uv_environment

ROOT = Path(__file__).parents[2]
CONSTRAINTS = ROOT / "constraints-meltano.txt"
FOLDER = ROOT / ".venv-meltano"


def install_meltano(folder: Path) -> None:
    """Create the virtual environment, replacing an old one. Raises CalledProcessError."""
    python = folder / "bin" / "python"
    _run_uv("venv", "--clear", "--python", sys.executable, folder)
    _run_uv("pip", "install", "--python", python, "--constraint", CONSTRAINTS, "meltano")


def _run_uv(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "uv", "--quiet", *map(str, arguments)]
    subprocess.run(command, env=uv_environment(), check=True)


if __name__ == "__main__":
    install_meltano(Path(sys.argv[1]))
