"""Tables for people, on stdout: what a check found, the rows of a preview."""

from __future__ import annotations

import sys
import unicodedata
from typing import TYPE_CHECKING

from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

from program_kit.findings import Level
from tap_mssql_query.errors import OutputClosed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_mssql_query.checks.preflight import Checked

_STYLES = {
    Level.OK: "green",
    Level.WARNING: "yellow",
    Level.ERROR: "bold red",
    Level.REFUSED: "bold red",
}


def print_findings(checked: Iterable[Checked]) -> None:
    """Print what was found, one row for each finding."""
    table = Table("where", "level", "finding", box=None)
    for place in checked:
        for finding in place.findings:
            level = Text(finding.level.word, _STYLES[finding.level])
            table.add_row(Text(place.place), level, Text(finding.message))
    _print(table)


def print_rows(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under the names and the types of their columns."""
    table = Table(*(Column(_heading(*column)) for column in columns), box=None)
    for row in rows:
        table.add_row(*map(_cell, row))
    _print(table)


def _heading(name: str, sql_type: str) -> Text:
    return Text.assemble((_printable(name), "bold"), "\n", (sql_type, "dim"))


def _cell(value: object) -> Text:
    return Text("NULL", "dim") if value is None else Text(_printable(str(value)))


def _printable(text: str) -> str:
    """The text without what would steer a terminal."""
    return "".join(
        f"\\x{ord(character):02x}" if unicodedata.category(character) in ("Cc", "Cf") else character
        for character in text
    )


def _print(table: Table) -> None:
    """Print; where nobody looks, such as in a file, lines are as long as they need to be."""
    console = Console()
    if not console.is_terminal:
        width = Measurement.get(console, console.options.update(max_width=10**6), table).maximum
        console = Console(width=max(width, 1))
    try:
        console.print(table)
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise OutputClosed("stdout was closed") from error
