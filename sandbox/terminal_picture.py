"""Pictures of a terminal, as SVG files that change only when what they show does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.terminal_theme import MONOKAI

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rich.console import Console

_FONT_FACES = re.compile(r"@font-face \{\{.*?\}\}\s*", re.DOTALL)
"""Web fonts: a picture needs no network."""
_UNSTEADY = re.compile(r"\d+(\.\d+)?&#160;(s|min|h)\b|\d{4}-\d\d-\d\d&#160;\d\d:\d\d[^<]*")
"""Durations and times of runs, which differ from run to run."""
_TITLE = "mssql-reverse-etl"


def write_picture(console: Console, paths: Iterable[Path]) -> None:
    """Write what a console has recorded; a file that differs in durations alone stays."""
    svg = console.export_svg(
        title=_TITLE,
        theme=MONOKAI,
        code_format=_FONT_FACES.sub("", CONSOLE_SVG_FORMAT),
        unique_id="terminal",
    )
    for path in paths:
        if not path.is_file() or steady_part(path.read_text()) != steady_part(svg):
            path.write_text(svg)


def steady_part(svg: str) -> str:
    """A picture without durations and times."""
    return _UNSTEADY.sub("", svg)
