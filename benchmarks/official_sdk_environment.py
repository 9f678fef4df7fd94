"""Installs Customer.io's own package in a virtual environment of its own: its needs meet no others.

Run it with `python -m benchmarks.official_sdk_environment`, as the Makefile does.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".venv-official-sdk"
PYTHON = FOLDER / "bin" / "python"
_CONSTRAINTS = Path(__file__).parent / "constraints-official-sdk.txt"


def install() -> None:
    """Make the virtual environment anew. Raises CalledProcessError."""
    subprocess.run([sys.executable, "-m", "venv", "--clear", FOLDER], check=True)
    command: list[str | Path] = [
        PYTHON,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--constraint",
        _CONSTRAINTS,
    ]
    subprocess.run([*command, "customerio-cdp-analytics"], check=True)


if __name__ == "__main__":
    install()
