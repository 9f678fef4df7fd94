"""Prints tables to stdout: as wide as the terminal, or as wide as needed in a file."""

from __future__ import annotations

import sys
import unicodedata
from typing import TYPE_CHECKING

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from program_kit.findings import Level

if TYPE_CHECKING:
    from collections.abc import Iterable

    from program_kit.findings import CheckResult

_STYLES = {
    Level.OK: "green",
    Level.WARNING: "yellow",
    Level.ERROR: "bold red",
    Level.SERVER_ERROR: "bold red",
}


def print_findings(results: Iterable[CheckResult]) -> None:
    """Print a table with one row per finding. Raises BrokenPipeError."""
    table = Table("where", "level", "finding", box=None)
    for result in results:
        for finding in result.findings:
            level = Text(finding.level.label, _STYLES[finding.level])
            table.add_row(Text(result.subject), level, Text(finding.message))
    print_table(table)


def print_table(table: Table) -> None:
    """Print a table; where stdout is not a terminal, lines are never wrapped.

    Raises BrokenPipeError if the reader of stdout closed the pipe.
    """
    console = Console()
    if not console.is_terminal:
        width = Measurement.get(console, console.options.update(max_width=10**6), table).maximum
        console = Console(width=max(width, 1))
    console.print(table)
    sys.stdout.flush()


def printable(text: str) -> str:
    """The text with control characters escaped, so that it cannot control the terminal."""
    return "".join(
        f"\\x{ord(character):02x}" if unicodedata.category(character) in ("Cc", "Cf") else character
        for character in text
    )
