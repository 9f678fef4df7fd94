"""`--project FILE`, before or behind the name of a command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mssql_reverse_etl.project import FILE_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

_F = TypeVar("_F", bound="Callable[..., Any]")


def project_option(command: _F) -> _F:
    """Add `--project` to the group or to a command."""
    return click.option(
        "--project",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        expose_value=False,
        callback=_remember,
        help=f"The project file instead of {FILE_NAME} in this folder.",
    )(command)


def project_path() -> Path:
    """The project file of the command that runs."""
    found = click.get_current_context().find_root().meta.get("project")
    return found if isinstance(found, Path) else Path(FILE_NAME)


def _remember(context: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is not None:
        context.find_root().meta["project"] = value
