"""The command-line options that the tap adds to those of the SDK."""

from __future__ import annotations

from typing import Any

import click

from tap_mssql_query.sync.run_options import parse_timestamp


class Timestamp(click.ParamType[int]):
    """ISO 8601 or unix seconds, converted to unix seconds."""

    name = "timestamp"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Unix seconds of a value of the command line."""
        try:
            return parse_timestamp(str(value))
        except ValueError as error:
            self.fail(f"not ISO 8601, such as 2026-01-02T03:04:05Z ({error})", param, ctx)


OPTIONS = [
    click.Option(
        ["--resync"],
        multiple=True,
        metavar="NAME",
        help="Run this sync as if for the first time. Repeatable.",
    ),
    click.Option(
        ["--start-now"],
        multiple=True,
        metavar="NAME",
        help="Move this sync's bookmark to now without reading rows. Repeatable.",
    ),
    click.Option(
        ["--since"],
        type=Timestamp(),
        help="Backfill: read from this time on, without moving bookmarks.",
    ),
    click.Option(
        ["--until"],
        type=Timestamp(),
        help="Backfill: read up to this time; queries need {{sync_time}} or {{sync_datetime}}.",
    ),
    click.Option(
        ["--locked"],
        multiple=True,
        metavar="NAME",
        help="Run only this sync, whose lock the caller already holds. Repeatable.",
    ),
    click.Option(
        ["--partition"],
        type=click.IntRange(min=0),
        metavar="N",
        help="With one --locked NAME: read only partition N, from 0, of its unfinished run.",
    ),
    click.Option(
        ["--check"],
        is_flag=True,
        help="Check connections, permissions and queries; print a table; read no rows.",
    ),
    click.Option(
        ["--preview"],
        metavar="NAME",
        help="Show the first rows of this sync as a table, without moving its bookmark.",
    ),
    click.Option(
        ["--limit"],
        type=click.IntRange(min=1, max=2**31 - 1),
        metavar="N",
        help="Read at most N rows of each sync, without moving bookmarks. With --preview: 10 if "
        "not given.",
    ),
]
