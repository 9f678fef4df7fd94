"""`mssql-reverse-etl schema`."""

from __future__ import annotations

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema of the project file."""
    from mssql_reverse_etl.project.starting import schema_text  # noqa: PLC0415 - slow
    from program_kit.console import print_plain  # noqa: PLC0415 - with it

    print_plain(schema_text())
