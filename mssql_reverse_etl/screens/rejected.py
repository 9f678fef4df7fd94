"""The screen of `mssql-reverse-etl rejected`. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Column, Table
from rich.text import Text

from mssql_reverse_etl.screens.local_time import local_time
from mssql_reverse_etl.screens.output import Part, line
from program_kit.console import cell
from program_kit.exact_json import encode_json
from program_kit.humane import count_of
from program_kit.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import tzinfo

    from mssql_reverse_etl.dead_letters.groups import LetterGroup


def rejected_screen(groups: Sequence[LetterGroup], zone: tzinfo | None = None) -> Iterator[Part]:
    """A paragraph for each group, with its `shown` letters."""
    for number, group in enumerate(groups):
        if number:
            yield line("")
        status = "" if group.status is None else f", HTTP {group.status}"
        yield Text.assemble(
            (printable(f"{group.sync}, {group.destination}: "), "bold"),
            (f"{count_of(group.calls, 'call')} rejected", "yellow"),
            status,
        )
        table = Table.grid(Column(width=10), Column(overflow="fold"), padding=(0, 1, 0, 0))
        for label, text in _details(group, zone):
            table.add_row(Text(f"  {label}", "dim"), cell(text))
        yield table


def _details(group: LetterGroup, zone: tzinfo | None) -> Iterator[tuple[str, str]]:
    yield "reason", group.reason
    oldest, newest = local_time(group.oldest, zone), local_time(group.newest, zone)
    yield "time", oldest if oldest == newest else f"{oldest} to {newest}"
    if group.example_keys:
        yield "keys", ", ".join(map(_key_text, group.example_keys))
    if group.superseded:
        calls = count_of(group.superseded, "call")
        yield "outdated", f"{calls}: newer ones were delivered since."
    yield "remedy", group.remedy
    for letter in group.shown:
        for name in ("record", "call", "line"):
            if letter.get(name) is not None:
                yield name, _json_text(letter[name])


def _key_text(key: Any) -> str:
    """The columns of a key, as `id=5 day="2026-11-27"`; an ordering key as it is."""
    if not isinstance(key, dict):
        return str(key)
    return " ".join(f"{name}={_json_text(value)}" for name, value in key.items())


def _json_text(value: Any) -> str:
    return encode_json(value).decode()
