"""`mssql-reverse-etl init`."""

from __future__ import annotations

from pathlib import Path

import click

from mssql_reverse_etl.errors import UsageError


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
def init(folder: Path) -> None:
    """Write a starter project; files that exist stay as they are."""
    from mssql_reverse_etl.project.starting import (  # noqa: PLC0415 - slow
        missing_from_gitignore,
        write_project,
    )

    try:
        written = list(write_project(folder))
        missing = missing_from_gitignore(folder)
    except OSError as error:
        raise UsageError(
            f"A project cannot be written to {folder}: {error.strerror}. Name another folder."
        ) from error
    for name, is_new in written:
        click.echo(f"{'wrote' if is_new else 'kept '} {folder / name}")
    if missing:
        click.echo(f"Add {' and '.join(missing)} to {folder / '.gitignore'}: they hold secrets.")
    click.echo(
        "Next: set MSSQL_PASSWORD and CUSTOMERIO_WRITE_KEY in .env (see .env.example), put your "
        "server and query into reverse_etl.yml, and start `mssql-reverse-etl run`."
    )
