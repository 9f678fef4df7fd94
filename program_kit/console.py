"""Prints tables to stdout: as wide as the terminal, or as wide as needed in a file."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from rich import console as rich_console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from program_kit.errors import StdoutFailed
from program_kit.findings import Level
from program_kit.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from program_kit.findings import CheckResult

_STYLES = {
    Level.OK: "green",
    Level.WARNING: "yellow",
    Level.ERROR: "bold red",
    Level.SERVER_ERROR: "bold red",
}


class Console(rich_console.Console):
    """A console whose closed pipe is an error of the program, and not the end of it."""

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError."""
        raise BrokenPipeError


def print_findings(results: Iterable[CheckResult]) -> None:
    """Print a table with one row per finding. Raises BrokenPipeError."""
    table = Table("where", "level", "finding", box=None, pad_edge=False, header_style="dim")
    for result in results:
        for finding in result.findings:
            level = Text(finding.level.label, _STYLES[finding.level])
            table.add_row(cell(result.subject), level, cell(finding.message))
    print_table(table)


def print_table(table: Table) -> None:
    """Print a table; where stdout is not a terminal, lines are never wrapped.

    Raises BrokenPipeError if the reader of stdout closed the pipe.
    """
    console = Console()
    with writing_to_stdout():
        if console.is_terminal:
            console.print(table)
            return
        console = Console(width=max(natural_width(table), 1))
        with console.capture() as captured:
            console.print(table)
        sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def natural_width(table: Table) -> int:
    """The columns of a terminal in which no cell is wrapped."""
    console = Console()
    return Measurement.get(console, console.options.update(max_width=10**6), table).maximum


def print_plain(text: str) -> None:
    """Print text to stdout as it is. Raises BrokenPipeError or StdoutFailed."""
    with writing_to_stdout():
        sys.stdout.write(text)


@contextlib.contextmanager
def writing_to_stdout() -> Iterator[None]:
    """Write what the block printed. Raises StdoutFailed, or BrokenPipeError."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # click takes one with an errno for the end of the program, and exits with 1.
        raise BrokenPipeError from None
    except OSError as error:
        raise StdoutFailed(f"stdout cannot be written ({error.strerror}).") from error


def print_lines(lines: Iterable[Text]) -> None:
    """Print lines to stdout, wrapped between words on a terminal only. Raises BrokenPipeError."""
    console = Console()
    with writing_to_stdout():
        for line in lines:
            console.print(line, soft_wrap=not console.is_terminal, highlight=False)


def drop_stdout() -> None:
    """Let everything that is still printed go nowhere, since stdout cannot be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def cell(text: str, style: str = "") -> Text:
    """Text of others for a table: no markup, and nothing that controls the terminal."""
    return Text(printable(text), style)


def summary_console() -> Console:
    """A console on stderr; in a file, tables have a fixed width."""
    return Console(file=sys.stderr, width=None if sys.stderr.isatty() else 100)


def print_line(console: Console, text: str) -> None:
    """Print one line, as long as it is."""
    console.print(cell(text), soft_wrap=True)
