"""`mssql-reverse-etl schema`."""

from __future__ import annotations

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema of the project file."""
    from mssql_reverse_etl.project.starting import schema_text  # noqa: PLC0415 - slow

    click.echo(schema_text(), nl=False)
