"""The screen of a preview: rows, and under them the calls at each destination. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from mssql_reverse_etl.screens.local_time import local_time
from mssql_reverse_etl.screens.output import fits
from program_kit.console import cell
from program_kit.exact_json import encode_json
from program_kit.humane import count_of, list_of
from program_kit.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import tzinfo

    from rich.console import Console

    from mssql_reverse_etl.screens.output import Part
    from target_pipelines.run.preview import Preview, PreviewedRow


def preview_screen(
    name: str,
    preview: Preview,
    console: Console,
    *,
    since: int | None,
    zone: tzinfo | None = None,
) -> Iterator[Part]:
    """The parts of the screen, for a console of its width."""
    start = "the beginning" if not since else local_time(since, zone)
    yield cell(f"{name}: {count_of(len(preview.rows), 'row')} since {start}", "bold")
    if not preview.rows:
        again = (
            "" if not since else f" `mssql-reverse-etl preview {name} --resync` shows the first."
        )
        yield cell(f"The query returns no row.{again}")
        return
    yield Text()
    yield from _show_rows(preview, console)
    for destination, rows in preview.destinations.items():
        yield Text()
        calls = sum(row.call is not None for row in rows)
        yield cell(f"{destination}: {count_of(calls, 'call')}", "bold")
        for number, row in enumerate(rows, 1):
            yield Text()
            yield from _show_call(number, row)
        if unsent := {column: why for row in rows for column, why in row.unsent_columns.items()}:
            yield Text()
            yield from (
                cell(f"Column `{column}` is not sent: {why}.") for column, why in unsent.items()
            )


def describe_left_out(preview: Preview) -> Iterator[str]:
    """A sentence for each row without a call; no values."""
    for destination, rows in preview.destinations.items():
        for number, row in enumerate(rows, 1):
            if row.call is None:
                yield f"destination={destination} row={number} {_why_no_call(row)}"


def _show_rows(preview: Preview, console: Console) -> Iterator[Part]:
    """A table if it is no wider than the console; else each row below the other."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("row", justify="right")
    for column in preview.columns:
        table.add_column(cell(column), no_wrap=True)
    for number, row in enumerate(preview.rows, 1):
        table.add_row(Text(str(number), "dim"), *_cells_of(row, preview.columns))
    if fits(table, console.width):
        yield table
        return
    for number, row in enumerate(preview.rows, 1):
        if number > 1:
            yield Text()
        yield Text(f"row {number}", "dim")
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(max_width=console.width // 3, overflow="fold")
        grid.add_column(overflow="fold")
        for column, value in zip(preview.columns, _cells_of(row, preview.columns), strict=True):
            grid.add_row(cell(f"  {column}", "dim"), value)
        yield grid


def _cells_of(row: Mapping[str, Any], columns: Sequence[str]) -> list[Text]:
    return [_value_cell(row.get(column)) for column in columns]


def _value_cell(value: Any) -> Text:
    """A value as it is in the RECORD; texts without quotes."""
    if value is None:
        return Text("NULL", "dim")
    return cell(value if isinstance(value, str) else encode_json(value).decode())


def _show_call(number: int, row: PreviewedRow) -> Iterator[Text]:
    if row.call is None:
        style = "" if row.is_filtered else "yellow"
        yield Text.assemble((f"row {number}: ", "dim"), cell(_why_no_call(row), style))
        return
    yield Text(f"row {number}:", "dim")
    yield _colour(row.call)
    if row.null_columns:
        names = list_of([f"`{column}`" for column in row.null_columns], limit=20)
        yield cell(f"Left out, since NULL: {names}.", "dim")


def _why_no_call(row: PreviewedRow) -> str:
    if row.is_filtered:
        return "filtered: its call type makes no call of it"
    return f"rejected: {row.reason}"


def _colour(call: bytes) -> Text:
    """The call on several lines, in colours; its values keep their digits."""
    lines = msgspec.json.format(call, indent=2).decode().split("\n")
    text = "\n".join(map(printable, lines))
    syntax = Syntax("", "json", theme="ansi_dark", background_color="default")
    coloured = syntax.highlight(text)
    coloured.rstrip()
    coloured.no_wrap, coloured.overflow = True, "ignore"  # what is copied has no other line ends
    return coloured
