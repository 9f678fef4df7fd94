"""Text of others cannot control a terminal, forge a line of a log, or be markup."""

from __future__ import annotations

import io
import logging

import pytest
from rich.table import Table

from program_kit.console import Console, cell, print_line
from program_kit.logs import protect_log
from program_kit.printable import printable

HOSTILE = {
    "\x1b[31mred\x1b[0m": r"\x1b[31mred\x1b[0m",
    "a\nERROR forged": r"a\nERROR forged",
    "a\rb\tc\x07d\x00": r"a\rb\tc\x07d\x00",
    "\x9b2J": r"\x9b2J",
    "\u202egnp.exe": r"\u202egnp.exe",
    "a\u2066b\u200fc\u2028d": r"a\u2066b\u200fc\u2028d",
    "\ud83d": r"\ud83d",
    "[red]x[/red] a[/b] [link=x]": "[red]x[/red] a[/b] [link=x]",
    "Zoë 🙂 名前": "Zoë 🙂 名前",
}


@pytest.mark.parametrize(("text", "shown"), HOSTILE.items())
def test_text_is_printable(text: str, shown: str) -> None:
    """What controls something is escaped, everything else stays."""
    assert printable(text) == shown


@pytest.mark.parametrize(("text", "shown"), HOSTILE.items())
def test_log_and_tables_show_printable_text(text: str, shown: str) -> None:
    """In a message of any library, in a cell, and in a line of a summary."""
    before = logging.getLogRecordFactory()
    protect_log()
    try:
        record = logging.getLogger("any").makeRecord(
            "any", logging.INFO, "file", 1, "stream=%s", (text,), None
        )
    finally:
        logging.setLogRecordFactory(before)
    assert record.getMessage() == f"stream={shown}"

    out = io.StringIO()
    console = Console(file=out, width=200)
    table = Table("stream", box=None)
    table.add_row(cell(text))
    console.print(table)
    print_line(console, f"{text}: 1 rejected")
    assert [line.strip() for line in out.getvalue().splitlines()[1:]] == [
        shown,
        f"{shown}: 1 rejected",
    ]
