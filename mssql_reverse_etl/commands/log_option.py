"""`--log-format`, before or behind the name of a command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from mssql_reverse_etl.log import FORMATS, configure_log

if TYPE_CHECKING:
    from collections.abc import Callable

_F = TypeVar("_F", bound="Callable[..., Any]")


def log_format_option(command: _F) -> _F:
    """Add `--log-format` to the group or to a command."""
    return click.option(
        "--log-format",
        type=click.Choice(FORMATS),
        expose_value=False,
        callback=_configure,
        help="How stderr is written: text for people, logfmt or json; auto is text on a terminal, "
        "logfmt elsewhere.",
    )(command)


def _configure(_context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        configure_log(value)
