"""`--limit`, `--since` and `--until`: what a run reads, without moving bookmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

_F = TypeVar("_F", bound="Callable[..., Any]")
_MAX_ROWS = 2**31 - 1


class _Timestamp(click.ParamType[int]):
    """As the tap reads it: ISO 8601 or unix seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from tap_mssql_query.cli_options import Timestamp  # noqa: PLC0415 - slow

        return Timestamp().convert(value, param, ctx)


def window_options(command: _F) -> _F:
    """Add the options to a command."""
    for option in (
        click.option(
            "--until", type=_Timestamp(), metavar="T",
            help="Read up to this time; queries need {{sync_time}} or {{sync_datetime}}.",
        ),
        click.option(
            "--since", type=_Timestamp(), metavar="T",
            help="Read from this time on, without moving bookmarks: 2026-01-02, "
            "2026-01-02T03:04:05Z or unix seconds.",
        ),
        limit_option("Read at most N rows of each sync, without moving bookmarks."),
    ):  # fmt: skip
        command = option(command)
    return command


def limit_option(help_text: str, default: int | None = None) -> Callable[[_F], _F]:
    """`--limit N`."""
    return click.option(
        "--limit",
        type=click.IntRange(min=1, max=_MAX_ROWS),
        metavar="N",
        default=default,
        help=help_text,
    )
