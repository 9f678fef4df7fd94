"""Compares what a command prints with a file that people have looked at."""

from __future__ import annotations

import os
from pathlib import Path

_FOLDER = Path(__file__).parent / "screens"
_UPDATE = "UPDATE_SCREENS"
"""Environment variable: write the files anew; look at the difference before it is committed."""


def assert_screen(name: str, text: str) -> None:
    """The text is that of the file, but for blanks at the ends of lines."""
    path = _FOLDER / f"{name}.txt"
    lines = [line.rstrip() for line in text.splitlines()]
    if os.environ.get(_UPDATE):
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
    assert lines == path.read_text().splitlines()
