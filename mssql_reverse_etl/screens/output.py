"""The parts that screens are made of, and how they are printed to stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from program_kit.console import cell, natural_width, print_lines, print_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rich.console import JustifyMethod

Part = Table | Text

_OUTCOME_STYLES = {
    "delivered": "green",
    "failed": "red",
    "rejected": "red",
    "interrupted": "yellow",
    "locked": "yellow",
}
NOTHING = Text("-", "dim")


def plain_table(headings: Mapping[str, JustifyMethod], *, gap: int = 2) -> Table:
    """A table without lines, with `gap` blanks between columns; numbers are never wrapped."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, gap, 0, 0))
    for heading, justify in headings.items():
        table.add_column(
            heading,
            justify=justify,
            no_wrap=justify == "right" or heading == "outcome",
            overflow="fold",
        )
    return table


def add_row(table: Table, *cells: str | Text) -> None:
    """Add a row; in texts of others rich looks for neither markup nor emoji."""
    table.add_row(*map(_cell_of, cells))


def _cell_of(content: str | Text) -> Text:
    if isinstance(content, Text):
        return content
    return NOTHING if content == NOTHING.plain else cell(content)


def outcome_cell(outcome: str) -> Text:
    """An outcome as the history or a run has it, in its colour."""
    words = outcome.replace("_", " ")
    return Text(words, _OUTCOME_STYLES.get(words, "dim"))


def count_cell(count: int | None, style: str = "") -> Text:
    """A number; a dash for none."""
    return Text(f"{count:,}", style) if count else NOTHING


def rejected_cell(count: int | None) -> Text:
    """A number of calls that were not delivered."""
    return count_cell(count, "yellow")


def line(text: str) -> Text:
    """Text of others as a line."""
    return cell(text)


def fits(table: Table, width: int | None = None) -> bool:
    """Whether a table fits into a width, by default that of the terminal; a file has no limit."""
    if width is None:
        console = Console()
        if not console.is_terminal:
            return True
        width = console.width
    return natural_width(table) <= width


def print_screen(parts: Iterable[Part]) -> None:
    """Print a screen. Raises BrokenPipeError or StdoutFailed."""
    for part in parts:
        if isinstance(part, Table):
            print_table(part)
        else:
            print_lines([part])
