"""The tables of `--check` and `--preview`, on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Column, Table
from rich.text import Text

from program_kit.console import cell, print_table
from program_kit.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def print_rows(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[object]]) -> None:
    """Print rows below the names and types of their columns."""
    table = Table(*(Column(_heading(*column)) for column in columns), box=None)
    for row in rows:
        table.add_row(*map(_cell, row))
    print_table(table)


def _heading(name: str, sql_type: str) -> Text:
    return Text.assemble((printable(name), "bold"), "\n", (printable(sql_type), "dim"))


def _cell(value: object) -> Text:
    return Text("NULL", "dim") if value is None else cell(str(value))
