"""The command-line options that the tap adds to the SDK's."""

from __future__ import annotations

from typing import Any

import click

from tap_mssql_query.sync.run_options import parse_moment


class _Moment(click.ParamType[int]):
    """ISO 8601 or unix seconds, as unix seconds."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return parse_moment(str(value))
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
        ["--since"],
        type=_Moment(),
        help="Backfill: read from this moment on, and move no bookmark.",
    ),
    click.Option(
        ["--until"],
        type=_Moment(),
        help="Backfill: read up to this moment; queries need {{sync_time}} or {{sync_datetime}}.",
    ),
    click.Option(
        ["--locked"],
        multiple=True,
        metavar="NAME",
        help="Run this sync only, and leave its lock to who starts this program. Repeatable.",
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
        help="Check connections, permissions and queries; print a table; read no row.",
    ),
    click.Option(
        ["--preview"],
        metavar="NAME",
        help="Show the first rows of this sync as a table; no bookmark moves.",
    ),
    click.Option(
        ["--limit"],
        type=click.IntRange(min=1, max=2**31 - 1),
        default=10,
        show_default=True,
        help="How many rows --preview fetches at most.",
    ),
]
