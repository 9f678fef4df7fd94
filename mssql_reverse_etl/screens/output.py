"""Prints a screen to stdout: tables and lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from program_kit.console import cell, print_table, print_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rich.console import JustifyMethod

Part = Table | Text


def plain_table(headings: Mapping[str, JustifyMethod]) -> Table:
    """A table without lines, whose cells are never wrapped."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading, justify in headings.items():
        table.add_column(heading, justify=justify, no_wrap=True, overflow="fold")
    return table


def add_row(table: Table, *texts: str) -> None:
    """Add a row of texts, in which rich looks for neither markup nor emoji: that would be slow."""
    table.add_row(*map(cell, texts))


def line(text: str) -> Text:
    """Text of others as a line."""
    return cell(text)


def print_screen(parts: Iterable[Part]) -> None:
    """Print a screen. Raises BrokenPipeError or StdoutFailed."""
    for part in parts:
        if isinstance(part, Table):
            print_table(part)
        else:
            print_text(part)
