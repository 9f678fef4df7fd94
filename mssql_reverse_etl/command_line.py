"""The console script `mssql-reverse-etl`: its commands; errors as messages and exit codes."""

from __future__ import annotations

import logging
import sys

import click

from mssql_reverse_etl.commands.run import run
from mssql_reverse_etl.errors import ReverseETLError
from program_kit.logs import LOG_FORMAT

logger = logging.getLogger("mssql-reverse-etl")


@click.group()
@click.version_option(package_name="mssql-reverse-etl")
def cli() -> None:
    """Reverse ETL for Microsoft SQL Server: rows of queries become calls of customer-data APIs."""


cli.add_command(run)


def main() -> None:
    """Run the command line; exits with a code of `errors`, of the tap's or of the target's."""
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, style="{")
    try:
        cli()
    except SystemExit:
        raise
    except _expected_errors() as error:
        for problem in getattr(error, "problems", (str(error),)):
            logger.error("%s", problem)  # noqa: TRY400 - no bug
        sys.exit(getattr(error, "exit_code", 1))


def _expected_errors() -> tuple[type[Exception], ...]:
    """The errors that have an exit code. Imported late: the target's package starts slowly."""
    from tap_mssql_query.errors import TapError  # noqa: PLC0415
    from target_pipelines.api.errors import PipelinesError  # noqa: PLC0415

    return ReverseETLError, TapError, PipelinesError
